"""Controls of DynamoDB: the ledger."""

from __future__ import annotations

import pytest

from tests.components.controls.rules import PROTECTED, TABLE, WITH_KEY, broken_by, keys, some
from tests.components.mocks import Graph
from tests.components.sabotage import REMOVED, with_input


@pytest.mark.claim(
    "on-demand, up to `ledgerMaxReadUnits` and `ledgerMaxWriteUnits`, on the table and on its index",
    control="DynamoDB.1",
    requires="scales with demand",
)
@broken_by(
    with_input(TABLE, "billingMode", "PROVISIONED"),
    with_input(TABLE, "onDemandThroughput", REMOVED),
    with_input(TABLE, "onDemandThroughput.maxReadRequestUnits", -1),
    with_input(TABLE, "globalSecondaryIndexes.0.onDemandThroughput", REMOVED),
    with_input(TABLE, "globalSecondaryIndexes.0.onDemandThroughput.maxWriteRequestUnits", 1),
)
def test_dynamodb_1_scales_with_demand_up_to_a_maximum(graph: Graph) -> None:
    for table in some(graph, TABLE):
        limit = table.inputs.get("onDemandThroughput", {})
        assert table.inputs["billingMode"] == "PAY_PER_REQUEST"
        assert limit.get("maxReadRequestUnits", 0) >= 1
        assert limit.get("maxWriteRequestUnits", 0) >= 1
        # An index that takes less than its table throttles the table too.
        for index in table.inputs.get("globalSecondaryIndexes", []):
            assert index.get("onDemandThroughput") == limit


@pytest.mark.claim(
    "enabled on every table", control="DynamoDB.2, NAG DDB3", requires="point-in-time recovery"
)
@broken_by(
    with_input(TABLE, "pointInTimeRecovery", REMOVED), with_input(TABLE, "pointInTimeRecovery.enabled", False)
)
def test_dynamodb_2_nag_ddb3_point_in_time_recovery(graph: Graph) -> None:
    for table in some(graph, TABLE):
        assert table.inputs.get("pointInTimeRecovery") == {"enabled": True}, table.name


@pytest.mark.claim(
    "with `protectData` (the default), in AWS and in Pulumi",
    control="DynamoDB.6",
    requires="deletion protection",
)
@broken_by(
    with_input(TABLE, "deletionProtectionEnabled", False),
    with_input(TABLE, "deletionProtectionEnabled", REMOVED),
    over=PROTECTED,
)
def test_dynamodb_6_deletion_protection(graph: Graph) -> None:
    for table in some(graph, TABLE):
        assert table.inputs.get("deletionProtectionEnabled") is True, table.name
        assert table.protect, table.name


@pytest.mark.claim(
    "option: `encryption: customer-key` encrypts the table, its index and its backups with the "
    "customer's key; otherwise a key that AWS owns does",
    control="DynamoDB encryption",
    requires="KMS at rest",
)
@broken_by(
    with_input(TABLE, "serverSideEncryption", REMOVED),
    with_input(TABLE, "serverSideEncryption.enabled", False),
    with_input(TABLE, "serverSideEncryption.kmsKeyArn", "arn:aws:kms:eu-central-1:123456789012:key/other"),
    over=WITH_KEY,
)
def test_dynamodb_customer_key(graph: Graph) -> None:
    for table in some(graph, TABLE):
        encryption = table.inputs.get("serverSideEncryption", {})
        assert encryption.get("enabled") is True, table.name
        assert encryption.get("kmsKeyArn") in keys(graph), table.name
