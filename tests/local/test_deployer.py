"""A user with only the deployer's policies deploys the program, changes it and removes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from components.policies.deployer import deployer_policies
from local.aws import Aws
from local.deployment import deploy
from local.emulator.process import running_emulator
from local.provider import provider
from tests.local.account import EVERYTHING, creations
from tests.local.deployer import ASKED_UNDER_ANOTHER_NAME, ASKED_WITHOUT_A_RESOURCE, create_deployer


@pytest.fixture(scope="module")
def deployer() -> Iterator[Aws]:
    with running_emulator() as emulator:
        seen = emulator.seen_by(create_deployer(emulator))
        yield seen
        seen.close()


def test_deployer_creates_reads_changes_and_deletes_every_type_of_resource(deployer: Aws) -> None:
    with creations() as everything:
        outputs = deploy(deployer, config=EVERYTHING)

    assert outputs["uploads_bucket"].startswith("bill-e-")
    for made in everything:
        assert provider.read(deployer, made.type, made.existing) is not None, made
    for index, made in enumerate(everything):
        if tags := made.existing.inputs.get("tags"):
            changed = {**made.existing.inputs, "tags": {**tags, "owner": "audit"}}
            provider.update(deployer, made.type, made.name, made.existing, changed)
            everything[index] = replace(made, existing=replace(made.existing, inputs=changed))
    for made in reversed(everything):
        provider.delete(deployer, made.type, made.existing)
    left = [made for made in everything if provider.read(deployer, made.type, made.existing) is not None]
    assert left == []


def test_what_the_embedded_aws_cannot_tell_is_in_the_policies_all_the_same() -> None:
    allowed = {
        action
        for policy in deployer_policies("000000000000", "us-east-1").values()
        for statement in policy["Statement"]
        for action in statement["Action"]
    }

    assert {*ASKED_WITHOUT_A_RESOURCE, *ASKED_UNDER_ANOTHER_NAME.values()} <= allowed


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
