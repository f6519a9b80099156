"""Controls of SNS and CloudWatch: the topic of the alarms, and the logs."""

from __future__ import annotations

import json

import pytest

from tests.components.controls.rules import (
    FUNCTION,
    LOG_GROUP,
    PROTECTED,
    STAGE,
    STRANGER,
    TOPIC,
    TOPIC_POLICY,
    WITH_KEY,
    allowed,
    broken_by,
    is_closed_to_plain_http,
    is_for_this_account,
    keys,
    role_statements,
    some,
    statements_of,
)
from tests.components.mocks import Graph
from tests.components.sabotage import (
    REMOVED,
    with_further_statement,
    with_input,
    with_statement,
    without,
    without_statement,
)

YEAR_DAYS = 365


@pytest.mark.claim(
    "encrypted with its own key, since CloudWatch can't publish to a topic under SNS's key; only CloudWatch "
    "alarms of this account may publish, over TLS",
    control="SNS.1, NAG SNS3, SNS.4",
    requires="encrypted, TLS, not public",
)
@broken_by(
    without(TOPIC_POLICY),
    with_input(TOPIC, "kmsMasterKeyId", REMOVED),
    with_input(TOPIC, "kmsMasterKeyId", "alias/aws/sns"),
    without_statement(TOPIC_POLICY, "TlsOnly"),
    with_statement(TOPIC_POLICY, "AlarmsNotify", "Principal", "*"),
    with_statement(TOPIC_POLICY, "AlarmsNotify", "Condition", REMOVED),
    with_further_statement(TOPIC_POLICY, "lets a stranger in", Principal=STRANGER, Action="sns:Subscribe"),
)
def test_sns_1_nag_sns3_sns_4_encrypted_tls_only_and_not_public(graph: Graph) -> None:
    policies = {policy.inputs["arn"]: policy.inputs for policy in graph.of_type(TOPIC_POLICY)}
    for topic in some(graph, TOPIC):
        arn = topic.outputs["arn"]
        assert topic.inputs.get("kmsMasterKeyId") in keys(graph), topic.name
        assert arn in policies, topic.name
        statements = statements_of(policies[arn])
        assert is_closed_to_plain_http(statements, "sns:Publish", [arn]), topic.name
        for statement in allowed(statements):
            assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
            assert statement["Action"] == "sns:Publish"
            assert is_for_this_account(statement)


@pytest.mark.claim(
    "`logRetentionDays` is a year or more in prod; the program creates every log group, and no function may",
    control="CloudWatch.16",
    requires="log retention of a year or more",
)
@broken_by(
    without(LOG_GROUP),
    with_input(LOG_GROUP, "retentionInDays", 180),
    with_input(LOG_GROUP, "retentionInDays", REMOVED),
    with_input(FUNCTION, "loggingConfig", {"logFormat": "JSON"}),
    over=PROTECTED,
)
def test_cloudwatch_16_logs_are_kept_for_a_year(graph: Graph) -> None:
    groups = {group.outputs["name"]: group for group in some(graph, LOG_GROUP)}
    arns = {group.outputs["arn"] for group in groups.values()}
    assert set(graph.exports.get("log_groups", {}).values()) <= set(groups)
    assert all(group.inputs.get("retentionInDays", 0) >= YEAR_DAYS for group in groups.values())
    for function in some(graph, FUNCTION):
        assert function.inputs["loggingConfig"].get("logGroup") in groups, function.name
        assert "logs:CreateLogGroup" not in json.dumps(role_statements(graph, function))
    assert all(stage.inputs["accessLogSettings"]["destinationArn"] in arns for stage in some(graph, STAGE))


@pytest.mark.claim(
    "option: with `encryption: customer-key`, the customer's key encrypts every log group",
    control="NAG Serverless",
    requires="encrypted logs",
)
@broken_by(
    with_input(LOG_GROUP, "kmsKeyId", REMOVED),
    with_input(LOG_GROUP, "kmsKeyId", "arn:aws:kms:eu-central-1:123456789012:key/other"),
    over=WITH_KEY,
)
def test_logs_customer_key(graph: Graph) -> None:
    assert [g.name for g in some(graph, LOG_GROUP) if g.inputs.get("kmsKeyId") not in keys(graph)] == []
