"""An empty account on the embedded AWS, and short ways to make in it what a resource depends on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from local import provider
from local.aws import Aws
from local.provider import Existing

LAMBDA_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def policy(**statement: Any) -> str:
    """A policy of one statement, which allows by default."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def code(text: str = "def handler(event, context): return 1") -> pulumi.AssetArchive:
    return pulumi.AssetArchive({"main.py": pulumi.StringAsset(text)})


@dataclass(frozen=True, kw_only=True)
class Account:
    aws: Aws
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def make(self, type_: str, inputs: Mapping[str, Any]) -> Existing:
        """Make a resource, and keep it as Pulumi's state does."""
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
