"""What there is in the account, whoever made it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.aws import Aws
from local.provider.kms import GONE


def inventory(aws: Aws) -> dict[str, list[str]]:
    """Return the ids of what the account has, sorted, by resource type, without types that it has none of.

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


_LISTS: Mapping[str, Callable[[Aws], Iterable[str]]] = {
    "aws:apigatewayv2/api:Api": lambda aws: _listed(aws, "apigatewayv2", "get_apis", "Items", "ApiId"),
    "aws:cloudwatch/dashboard:Dashboard": lambda aws: _listed(
        aws, "cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"
    ),
    "aws:cloudwatch/logGroup:LogGroup": lambda aws: _listed(
        aws, "logs", "describe_log_groups", "logGroups", "logGroupName"
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": lambda aws: _listed(
        aws, "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"
    ),
    "aws:dynamodb/table:Table": lambda aws: _listed(aws, "dynamodb", "list_tables", "TableNames"),
    "aws:iam/role:Role": lambda aws: _listed(aws, "iam", "list_roles", "Roles", "RoleName"),
    "aws:kms/alias:Alias": _aliases,
    "aws:kms/key:Key": _keys,
    "aws:lambda/eventSourceMapping:EventSourceMapping": lambda aws: _listed(
        aws, "lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"
    ),
    "aws:lambda/function:Function": lambda aws: _listed(
        aws, "lambda", "list_functions", "Functions", "FunctionName"
    ),
    "aws:lambda/layerVersion:LayerVersion": _layer_versions,
    "aws:s3/bucket:Bucket": lambda aws: _listed(aws, "s3", "list_buckets", "Buckets", "Name"),
    "aws:sns/topic:Topic": lambda aws: _listed(aws, "sns", "list_topics", "Topics", "TopicArn"),
    "aws:sns/topicSubscription:TopicSubscription": lambda aws: _listed(
        aws, "sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"
    ),
    "aws:sqs/queue:Queue": lambda aws: _listed(aws, "sqs", "list_queues", "QueueUrls"),
}
