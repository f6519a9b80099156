"""Controls of SQS: the queue, the resend queue and the dead-letter queue."""

from __future__ import annotations

import json

import pytest

from tests.components.controls.rules import (
    BUCKET,
    QUEUE,
    QUEUE_POLICY,
    REDRIVE_ALLOW,
    STRANGER,
    allowed,
    broken_by,
    is_closed_to_plain_http,
    keys,
    some,
    statements_of,
)
from tests.components.mocks import ACCOUNT, Graph
from tests.components.sabotage import (
    REMOVED,
    with_further_statement,
    with_input,
    with_statement,
    without,
    without_statement,
)


@pytest.mark.claim(
    "SQS's own key, or the customer's with `encryption: customer-key`, on every queue",
    control="SQS.1, NAG SQS2",
    requires="encryption",
)
@broken_by(
    with_input(QUEUE, "sqsManagedSseEnabled", False),
    with_input(QUEUE, "sqsManagedSseEnabled", REMOVED),
    with_input(QUEUE, "kmsMasterKeyId", REMOVED),
    with_input(QUEUE, "kmsMasterKeyId", "alias/aws/sqs"),
    with_input(QUEUE, "kmsDataKeyReusePeriodSeconds", 86_400),
)
def test_sqs_1_nag_sqs2_encryption(graph: Graph) -> None:
    for queue in some(graph, QUEUE):
        if keys(graph, for_data=True):
            assert queue.inputs.get("kmsMasterKeyId") in keys(graph), queue.name
            assert queue.inputs["kmsDataKeyReusePeriodSeconds"] == 300
        else:
            assert queue.inputs.get("sqsManagedSseEnabled") is True, queue.name


@pytest.mark.claim(
    "only S3 may send, for this bucket (`SourceArn`) of this account (`SourceAccount`): a Deny keeps "
    "everybody else in the account out, whatever IAM allows; the policies of the other queues let nobody in",
    control="SQS.3",
    requires="not public",
)
@broken_by(
    with_further_statement(QUEUE_POLICY, "lets everyone in", Principal="*", Action="sqs:SendMessage"),
    with_further_statement(QUEUE_POLICY, "lets a stranger in", Principal=STRANGER, Action="sqs:SendMessage"),
    with_statement(QUEUE_POLICY, "BucketSendsEvents", "Principal", "*"),
    with_statement(QUEUE_POLICY, "BucketSendsEvents", "Action", "sqs:*"),
    with_statement(
        QUEUE_POLICY, "BucketSendsEvents", "Condition", {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    ),
    with_statement(
        QUEUE_POLICY,
        "BucketSendsEvents",
        "Condition",
        {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::in-one-uploads-bucket-0a1b2c3"}},
    ),
    without_statement(QUEUE_POLICY, "OnlyTheBucketSends"),
    with_statement(QUEUE_POLICY, "OnlyTheBucketSends", "Effect", "Allow"),
    with_statement(QUEUE_POLICY, "OnlyTheBucketSends", "Action", "sqs:ReceiveMessage"),
    with_statement(QUEUE_POLICY, "OnlyTheBucketSends", "Principal", STRANGER),
    with_statement(QUEUE_POLICY, "OnlyTheBucketSends", "Condition", REMOVED),
)
def test_sqs_3_not_public(graph: Graph) -> None:
    buckets = {bucket.outputs["arn"] for bucket in some(graph, BUCKET)}
    for policy in some(graph, QUEUE_POLICY):
        for statement in allowed(statements_of(policy.inputs)):
            condition = statement.get("Condition", {})
            assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
            assert statement["Action"] == "sqs:SendMessage"
            assert condition.get("ArnEquals", {}).get("aws:SourceArn") in buckets
            assert condition.get("StringEquals") == {"aws:SourceAccount": ACCOUNT}
            source = condition["ArnEquals"]
            denied = {
                "Sid": "OnlyTheBucketSends",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:SendMessage",
                "Resource": statement["Resource"],
                "Condition": {"ArnNotEquals": source},
            }
            assert denied in statements_of(policy.inputs)


@pytest.mark.claim(
    "a queue moves a message to its dead-letter queue after 5 deliveries, and no queue but the two can",
    control="NAG SQS3",
    requires="dead-letter queue",
)
@broken_by(
    without(REDRIVE_ALLOW),
    with_input(QUEUE, "redrivePolicy", REMOVED),
    with_input(
        QUEUE, "redrivePolicy", json.dumps({"deadLetterTargetArn": "arn:other", "maxReceiveCount": 5})
    ),
    with_input(REDRIVE_ALLOW, "redriveAllowPolicy", json.dumps({"redrivePermission": "allowAll"})),
)
def test_nag_sqs3_dead_letter_queue(graph: Graph) -> None:
    queues = {queue.outputs["arn"]: queue for queue in some(graph, QUEUE)}
    redrives = {
        arn: json.loads(queue.inputs["redrivePolicy"])
        for arn, queue in queues.items()
        if "redrivePolicy" in queue.inputs
    }
    assert all(redrive["maxReceiveCount"] == 5 for redrive in redrives.values())
    targets = {arn: redrive["deadLetterTargetArn"] for arn, redrive in redrives.items()}
    assert set(queues) - set(targets) == set(targets.values())
    allows = {allow.inputs["queueUrl"]: allow.inputs for allow in graph.of_type(REDRIVE_ALLOW)}
    for target in targets.values():
        allow = allows.get(queues[target].outputs["url"], {}).get("redriveAllowPolicy", "null")
        sources = {arn for arn in targets if targets[arn] == target}
        permission = json.loads(allow) or {}
        assert permission.get("redrivePermission") == "byQueue"
        assert set(permission["sourceQueueArns"]) == sources


@pytest.mark.claim(
    "a Deny in the policy of every queue",
    control="NAG SQS4",
    requires="TLS only",
)
@broken_by(
    without(QUEUE_POLICY),
    without_statement(QUEUE_POLICY, "TlsOnly"),
    with_statement(QUEUE_POLICY, "TlsOnly", "Effect", "Allow"),
    with_statement(QUEUE_POLICY, "TlsOnly", "Action", "sqs:SendMessage"),
    with_statement(QUEUE_POLICY, "TlsOnly", "Condition", REMOVED),
    with_statement(QUEUE_POLICY, "TlsOnly", "Resource", ["arn:aws:sqs:eu-central-1:123456789012:other"]),
)
def test_nag_sqs4_tls_only(graph: Graph) -> None:
    policies = {policy.inputs["queueUrl"]: policy.inputs for policy in graph.of_type(QUEUE_POLICY)}
    for queue in some(graph, QUEUE):
        assert queue.outputs["url"] in policies
        statements = statements_of(policies[queue.outputs["url"]])
        assert is_closed_to_plain_http(statements, "sqs:*", [queue.outputs["arn"]]), queue.name
