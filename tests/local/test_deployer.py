"""A principal with the deployer's policies and nothing else deploys the program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from components.policies import deployer_policies
from local.aws import Aws, Credentials
from local.emulator import running_emulator
from local.program import deploy

ASKED_WITHOUT_A_RESOURCE = (
    "cloudwatch:PutDashboard",
    "kms:CreateAlias",
    "lambda:CreateEventSourceMapping",
    "lambda:CreateFunction",
)
"""What the embedded AWS asks about ``*``, and without AWS's condition keys: it doesn't read these names."""

CALLED_HERE_ONLY = ("lambda:PutFunctionConcurrency",)
"""What the embedded provider calls for functions without a reserved concurrency, and AWS's doesn't."""

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


@pytest.fixture(scope="module")
def deployer() -> Iterator[Aws]:
    with running_emulator() as emulator:
        iam = emulator.operator.client("iam")
        iam.create_user(UserName="deployer")
        account = emulator.operator.client("sts").get_caller_identity()["Account"]
        policies: dict[str, Any] = dict(deployer_policies(account, emulator.operator.region))
        policies["gaps"] = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Action": [*ASKED_WITHOUT_A_RESOURCE, *CALLED_HERE_ONLY],
                "Resource": "*",
            },
        }
        for name, policy in policies.items():
            made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))
            iam.attach_user_policy(UserName="deployer", PolicyArn=made["Policy"]["Arn"])
        key = iam.create_access_key(UserName="deployer")["AccessKey"]
        seen = emulator.seen_by(
            Credentials(access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])
        )
        yield seen
        seen.close()


def test_deployer_creates_every_type_of_resource(deployer: Aws) -> None:
    outputs = deploy(deployer, config=EVERYTHING)

    assert outputs["uploads_bucket"].startswith("bill-e-")


def test_deployer_is_refused_what_has_another_name(deployer: Aws) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    attempts: list[Callable[[], object]] = [
        lambda: deployer.client("s3").create_bucket(Bucket="other"),
        lambda: deployer.client("sqs").create_queue(QueueName="other"),
        lambda: deployer.client("sns").create_topic(Name="other"),
        lambda: deployer.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument=trust),
        lambda: deployer.client("logs").create_log_group(logGroupName="other"),
        lambda: deployer.client("dynamodb").delete_table(TableName="other"),
        lambda: deployer.client("lambda").delete_function(FunctionName="other"),
        lambda: deployer.client("kms").create_key(Tags=[{"TagKey": "project", "TagValue": "other"}]),
        lambda: deployer.client("iam").create_user(UserName="other"),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError) as refusal:
            attempt()
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
        assert "not authorized" in str(refusal.value) or "Access Denied" in str(refusal.value)
