"""The real program: what a stack's settings become, and what it exports."""

from __future__ import annotations

import json
import re

import pytest

from components.validation import InvalidInputError
from tests.components.mocks import Graph, run
from tests.components.programs import deployed, graph_of, main_program

CONTRACT = {
    *(
        "uploads_bucket",
        "upload_prefix",
        "api_url",
        "api_auth",
        "queue_url",
        "resend_queue_url",
        "dead_letter_queue_url",
    ),
    *("ledger_table", "ledger_shards", "reconciler", "dashboard", "alarm_topic", "log_groups", "region"),
    *("caller_policy", "auditor_policy", "operator_policy", "max_receipt_bytes", "accepted_types"),
}


@pytest.mark.parametrize("stack", ["dev", "prod", "local", "jwt"])
def test_stack_exports_what_callers_need_and_nothing_is_empty(stack: str) -> None:
    exports = graph_of(stack).exports
    assert set(exports) == CONTRACT
    assert all(value for name, value in exports.items() if name != "upload_prefix")


def test_api_url_has_no_slash_at_its_end(dev: Graph) -> None:
    assert re.fullmatch(r"https://[^/]+", dev.exports["api_url"])


def test_stack_without_settings_protects_its_data() -> None:
    graph = run(main_program)
    assert graph.named("bill-e-ingest-uploads-bucket").protect
    assert graph.only("aws:dynamodb/table:Table").protect


def test_prod_protects_uploads_and_ledger_and_keeps_logs_for_over_a_year(prod: Graph) -> None:
    bucket, table = prod.named("bill-e-ingest-uploads-bucket"), prod.only("aws:dynamodb/table:Table")
    assert bucket.protect
    assert table.protect
    assert bucket.inputs["forceDestroy"] is False
    assert table.inputs["deletionProtectionEnabled"] is True
    groups = prod.of_type("aws:cloudwatch/logGroup:LogGroup")
    assert all(group.inputs["retentionInDays"] >= 365 for group in groups)


@pytest.mark.parametrize("stack", ["dev", "local"])
def test_stack_to_try_things_on_can_be_destroyed(stack: str) -> None:
    graph = graph_of(stack)
    assert not any(resource.protect for resource in graph.resources)
    assert graph.named("bill-e-ingest-uploads-bucket").inputs["forceDestroy"] is True
    assert graph.only("aws:dynamodb/table:Table").inputs["deletionProtectionEnabled"] is False


def test_shards_and_size_limit_are_the_same_for_all_who_use_them(prod: Graph) -> None:
    functions = prod.of_type("aws:lambda/function:Function")
    variables = [function.inputs["environment"]["variables"] for function in functions]
    assert {v["LEDGER_TABLE"] for v in variables} == {prod.exports["ledger_table"]}
    assert {v["LEDGER_SHARDS"] for v in variables if "LEDGER_SHARDS" in v} == {"8"}
    assert [v["MAX_RECEIPT_BYTES"] for v in variables if "MAX_RECEIPT_BYTES" in v] == [
        str(20 * 1024 * 1024)
    ] * 2


def test_settings_reach_the_resources() -> None:
    graph = deployed(
        "dev",
        ledgerMaxReadUnits="7",
        ledgerMaxWriteUnits="5",
        objectLockDays="30",
        objectLockMode="compliance",
        throttleRate="8",
        throttleBurst="9",
    )
    table = graph.only("aws:dynamodb/table:Table").inputs
    assert table["onDemandThroughput"] == {"maxReadRequestUnits": 7, "maxWriteRequestUnits": 5}
    lock = graph.only("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration").inputs
    assert lock["rule"] == {"defaultRetention": {"mode": "COMPLIANCE", "days": 30}}
    stage = graph.only("aws:apigatewayv2/stage:Stage").inputs
    assert stage["defaultRouteSettings"] == {"throttlingRateLimit": 8, "throttlingBurstLimit": 9}


def test_forms_upload_below_the_prefix_that_makes_events() -> None:
    graph = graph_of("jwt")
    notification = graph.only("aws:s3/bucketNotification:BucketNotification")
    function = graph.named("bill-e-api-uploads-function")
    assert notification.inputs["queues"][0]["filterPrefix"] == "receipts/"
    assert function.inputs["environment"]["variables"]["FORM_PREFIX"] == "receipts/uploads/"


def test_forms_upload_below_uploads_where_the_whole_bucket_makes_events(dev: Graph) -> None:
    notification = dev.only("aws:s3/bucketNotification:BucketNotification")
    function = dev.named("bill-e-api-uploads-function")
    assert "filterPrefix" not in notification.inputs["queues"][0]
    assert function.inputs["environment"]["variables"]["FORM_PREFIX"] == "uploads/"


def test_caller_policy_names_this_stacks_api_and_bucket(dev: Graph) -> None:
    api = dev.only("aws:apigatewayv2/api:Api").outputs["executionArn"]
    bucket = dev.named("bill-e-ingest-uploads-bucket").outputs["arn"]
    statements = {s["Sid"]: s for s in json.loads(dev.exports["caller_policy"])["Statement"]}
    assert statements["UploadReceipts"]["Resource"] == f"{bucket}/*"
    assert all(arn.startswith(f"{api}/*/") for arn in statements["CallTheApi"]["Resource"])


def test_bad_settings_stop_the_program_before_anything_is_registered() -> None:
    with pytest.raises(InvalidInputError, match="bill-e:batchSize is 'many'"):
        deployed("dev", batchSize="many")


@pytest.mark.parametrize(("email", "warnings"), [("", 1), ("on-call@example.com", 0)])
def test_protected_stack_warns_if_nobody_gets_its_alarms(
    email: str, warnings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", lambda message, *_args, **_options: said.append(message))

    deployed("prod", alarmEmail=email)

    assert len([message for message in said if "nobody gets the alarms" in message]) == warnings
