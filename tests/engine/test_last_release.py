"""Today's program updates a stack of the last release, which loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.released import recreate
from tests.engine.stacks import DATA_TYPES, Engine, physical_ids
from tests.protected_types import GUARD_DATA

ROLE = "aws:iam/role:Role"

PLAIN: dict[str, Any] = {"logRetentionDays": 1}
EVERYTHING: dict[str, Any] = {
    "protectData": True,
    "logRetentionDays": 731,
    "maxConcurrency": 50,
    "ledgerShards": 8,
    "ledgerMaxReadUnits": 12000,
    "ledgerMaxWriteUnits": 4000,
    "throttleRate": 200,
    "throttleBurst": 400,
    "encryption": "customer-key",
    "objectLockDays": 30,
    "apiAuth": "jwt",
    "jwtIssuer": "https://issuer.example.com",
    "jwtAudience": ["bill-e"],
    "allowedOrigins": ["https://receipts.example.com"],
    "alarmEmail": "on-call@example.com",
    "uploadPrefix": "receipts/",
    "runbookUrl": "https://wiki.example.com/bill-e",
    "batchWindowSeconds": None,
}


@pytest.mark.parametrize(
    ("name", "state", "settings"),
    [("local", "release-0.1-plain", PLAIN), ("prod", "release-0.1-everything", EVERYTHING)],
)
def test_update_of_the_last_release_replaces_and_deletes_nothing_that_holds_data(
    new_engine: Callable[..., Engine], name: str, state: str, settings: dict[str, Any]
) -> None:
    stack = new_engine().stack(name, settings)
    before = recreate(stack, state)["deployment"]["resources"]
    bucket, table = (
        next(each["id"] for each in before if each["urn"].endswith(suffix))
        for suffix in ("::bill-e-ingest-uploads-bucket", "::bill-e-ledger-table")
    )
    aws = stack.engine.aws
    version = aws.client("s3").put_object(Bucket=bucket, Key="receipts/old.png", Body=b"old")["VersionId"]
    entry = {"fingerprint": {"S": "f" * 64}, "entry": {"S": "receipt"}}
    aws.client("dynamodb").put_item(TableName=table, Item=entry)

    updated = stack.up()

    assert updated.code == 0, updated.text
    lost = [
        step
        for step in updated.changes()
        if step.operation not in ("create", "update") and step.type in DATA_TYPES | GUARD_DATA | {ROLE}
    ]
    assert lost == []
    after = stack.resources()
    assert physical_ids(before, DATA_TYPES).items() <= physical_ids(after, DATA_TYPES).items()
    assert physical_ids(before, {ROLE}).items() <= physical_ids(after, {ROLE}).items()
    found = aws.client("s3").get_object(Bucket=bucket, Key="receipts/old.png", VersionId=version)
    assert found["Body"].read() == b"old"
    assert aws.client("dynamodb").get_item(TableName=table, Key=entry)["Item"] == entry
    again = stack.up("--expect-no-changes")
    assert again.code == 0, again.text
