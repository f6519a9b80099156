"""With only the deployer's policies, the engine deploys, changes, refreshes and destroys a stack."""

from __future__ import annotations

from collections.abc import Callable

from local.aws import Aws
from local.emulator.process import Emulator
from tests.engine.stacks import Engine
from tests.engine.test_failures import EVERYTHING
from tests.local.account import inventory
from tests.local.deployer import create_deployer

CHANGED = {
    "acceptedTypes": ["application/pdf"],
    "alarmFunctionErrors": 5,
    "batchSize": 5,
    "functionTimeoutSeconds": 120,
    "jwtIssuer": "https://login.example.com",
    "jwtReadScope": "ledger:read",
    "ledgerMaxReadUnits": 8000,
    "logRetentionDays": 365,
    "objectLockDays": 2,
    "protectData": True,
    "throttleRate": 100,
    "uploadPrefix": "receipts/",
}


def test_deployer_takes_a_stack_from_its_first_update_to_its_last(
    new_engine: Callable[..., Engine], emulator: Emulator
) -> None:
    key = create_deployer(emulator)
    engine = new_engine(
        environment={
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
        }
    )
    stack = engine.stack("deployed", EVERYTHING)
    for settings in (EVERYTHING, EVERYTHING | CHANGED, {**EVERYTHING, "encryption": "aws-owned"}, {}):
        stack.configure(**settings)
        updated = stack.up("--refresh")
        assert updated.code == 0, updated.text
        # With a lock, the first run locks what it writes. The schedule may not have come to it yet.
        run = emulator.administrator.client("lambda").invoke(FunctionName=stack.outputs()["sealer"])
        assert "FunctionError" not in run

    log = stack.outputs()["log_bucket"]
    refused = stack.destroy()
    # What the log has of its history is locked, and the deployer may not bypass that.
    assert refused.code != 0
    assert "s3:BypassGovernanceRetention" in refused.text
    unlock(emulator.administrator, log)
    gone = stack.destroy()

    assert gone.code == 0, gone.text
    assert list(inventory(engine.aws)) == ["aws:kms/key:Key"]  # which outlives its stack


def unlock(aws: Aws, bucket: str) -> None:
    """Delete all versions in a bucket, as an administrator who may bypass locks."""
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for each in page.get("Versions", []):
            s3.delete_object(
                Bucket=bucket,
                Key=each["Key"],
                VersionId=each["VersionId"],
                BypassGovernanceRetention=True,
            )
