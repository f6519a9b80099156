"""An account on the embedded AWS: making what a resource depends on, and listing what exists."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest

from local.aws import AccessKey, Aws
from local.provider import provider
from local.provider.resource_types import Created, Existing
from local.provider.services.kms import GONE

NOTHING = Aws(
    endpoint_url="https://127.0.0.1:1",
    region="eu-test-1",
    ca_bundle=Path("/nonexistent"),
    key=AccessKey(id="none", secret="none"),
)
"""An AWS that doesn't answer, for tests in which nothing may be made."""

EVERYTHING = {
    "bill-e:apiAuth": "jwt",
    "bill-e:jwtIssuer": "https://login.example.com/",
    "bill-e:jwtAudience": ["bill-e"],
    "bill-e:allowedOrigins": ["https://receipts.example.com"],
    "bill-e:alarmEmail": "on-call@example.com",
    "bill-e:encryption": "customer-key",
    "bill-e:objectLockDays": 1,
}
"""Settings with which the program registers every type of resource that it knows."""


def policy(**statement: Any) -> str:
    """A policy of one statement, which allows by default."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


LAMBDA_TRUST = policy(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole")


def code(text: str = "def handler(event, context): return 1") -> pulumi.AssetArchive:
    return pulumi.AssetArchive({"main.py": pulumi.StringAsset(text)})


@dataclass(frozen=True, kw_only=True)
class Account:
    aws: Aws
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def make(self, type_: str, inputs: Mapping[str, Any]) -> Existing:
        """Make a resource, and return it as Pulumi's state holds it."""
        created = provider.create(self.aws, type_, f"thing-{next(self._numbers)}", inputs)
        return Existing(id=created.id, inputs=inputs, outputs={**inputs, **created.outputs})

    def bucket(self, **inputs: Any) -> str:
        return self.make("aws:s3/bucket:Bucket", inputs).id

    def versioned_bucket(self) -> str:
        bucket = self.bucket()
        self.aws.client("s3").put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        return bucket

    def queue(self, **inputs: Any) -> Existing:
        return self.make("aws:sqs/queue:Queue", inputs)

    def queue_arn(self) -> str:
        return str(self.queue().outputs["arn"])

    def topic(self) -> str:
        return self.make("aws:sns/topic:Topic", {}).id

    def rule(self) -> str:
        return self.make("aws:cloudwatch/eventRule:EventRule", {"scheduleExpression": "rate(1 day)"}).id

    def key(self) -> Existing:
        return self.make("aws:kms/key:Key", {})

    def role(self) -> Existing:
        return self.make("aws:iam/role:Role", {"assumeRolePolicy": LAMBDA_TRUST})

    def function(self, **inputs: Any) -> Existing:
        return self.make("aws:lambda/function:Function", {**self.function_inputs(), **inputs})

    def function_inputs(self) -> dict[str, Any]:
        return {
            "code": code(),
            "handler": "main.handler",
            "role": self.role().outputs["arn"],
            "runtime": "python3.13",
        }

    def api(self) -> str:
        return self.make("aws:apigatewayv2/api:Api", {"protocolType": "HTTP"}).id

    def integration(self, api_id: str) -> str:
        arn = self.function().outputs["arn"]
        inputs = {"apiId": api_id, "integrationType": "AWS_PROXY", "integrationUri": arn}
        return self.make("aws:apigatewayv2/integration:Integration", inputs).id


@dataclass(frozen=True, kw_only=True)
class Made:
    """A resource that a program has registered, and what was made of it."""

    type: str
    name: str
    existing: Existing


@contextmanager
def creations() -> Iterator[list[Made]]:
    """A list that grows with every resource that is made, for as long as the context is open."""
    made: list[Made] = []
    create = provider.create

    def recording(aws: Aws, type_: str, name: str, inputs: dict[str, Any]) -> Created:
        created = create(aws, type_, name, inputs)
        existing = Existing(id=created.id, inputs=inputs, outputs={**inputs, **created.outputs})
        made.append(Made(type=type_, name=name, existing=existing))
        return created

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider, "create", recording)
        yield made


def inventory(aws: Aws) -> dict[str, list[str]]:
    """Return the sorted ids of all that the account has, by resource type; empty types are left out.

    Parts of a resource, such as policies and routes, and keys that are pending deletion aren't listed.
    """
    found = {type_: sorted(list_ids(aws)) for type_, list_ids in _LISTS.items()}
    return {type_: ids for type_, ids in found.items() if ids}


def _listed(aws: Aws, service: str, operation: str, items: str, id_: str | None = None) -> Iterable[str]:
    """Return the ids of all pages of a listing; the items are ids themselves where ``id_`` isn't given."""
    client: Any = aws.client(service)  # type: ignore[call-overload]
    for page in client.get_paginator(operation).paginate():
        for item in page.get(items, []):
            yield item[id_] if id_ else item


def _layer_versions(aws: Aws) -> Iterable[str]:
    functions = aws.client("lambda")
    for layer in _listed(aws, "lambda", "list_layers", "Layers", "LayerName"):
        for page in functions.get_paginator("list_layer_versions").paginate(LayerName=layer):
            yield from (version["LayerVersionArn"] for version in page["LayerVersions"])


def _keys(aws: Aws) -> Iterable[str]:
    for key in _listed(aws, "kms", "list_keys", "Keys", "KeyId"):
        metadata = aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]
        if metadata.get("KeyManager") != "AWS" and metadata["KeyState"] not in GONE:
            yield key


def _aliases(aws: Aws) -> Iterable[str]:
    aliases = _listed(aws, "kms", "list_aliases", "Aliases", "AliasName")
    return (alias for alias in aliases if not alias.startswith("alias/aws/"))


def _all(service: str, operation: str, items: str, id_: str | None = None) -> Callable[[Aws], Iterable[str]]:
    return lambda aws: _listed(aws, service, operation, items, id_)


_LISTS: Mapping[str, Callable[[Aws], Iterable[str]]] = {
    "aws:apigatewayv2/api:Api": _all("apigatewayv2", "get_apis", "Items", "ApiId"),
    "aws:cloudwatch/dashboard:Dashboard": _all(
        "cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"
    ),
    "aws:cloudwatch/eventRule:EventRule": lambda aws: [
        rule["Name"] for rule in aws.client("events").list_rules()["Rules"]
    ],
    "aws:cloudwatch/logGroup:LogGroup": _all("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": _all(
        "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"
    ),
    "aws:dynamodb/table:Table": _all("dynamodb", "list_tables", "TableNames"),
    "aws:iam/role:Role": _all("iam", "list_roles", "Roles", "RoleName"),
    "aws:kms/alias:Alias": _aliases,
    "aws:kms/key:Key": _keys,
    "aws:lambda/eventSourceMapping:EventSourceMapping": _all(
        "lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"
    ),
    "aws:lambda/function:Function": _all("lambda", "list_functions", "Functions", "FunctionName"),
    "aws:lambda/layerVersion:LayerVersion": _layer_versions,
    "aws:s3/bucket:Bucket": _all("s3", "list_buckets", "Buckets", "Name"),
    "aws:sns/topic:Topic": _all("sns", "list_topics", "Topics", "TopicArn"),
    "aws:sns/topicSubscription:TopicSubscription": _all(
        "sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"
    ),
    "aws:sqs/queue:Queue": _all("sqs", "list_queues", "QueueUrls"),
}
