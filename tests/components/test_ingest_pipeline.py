from __future__ import annotations

import json
from typing import Any

import pytest

from components.ingest_pipeline import MIN_TIMEOUT_SECONDS
from components.validation import InvalidInputError
from functions.contract.processing import CALL_SECONDS, READ_SECONDS
from functions.processor.processor import CLIENT_CONFIG
from tests.components.mocks import ACCOUNT, Graph, run
from tests.components.programs import LAYER, ingest_args, ingest_graph, new_ledger, stack_args

DAY = 24 * 60 * 60


@pytest.fixture(scope="module")
def graph() -> Graph:
    return ingest_graph()


def test_every_created_object_makes_a_message(graph: Graph) -> None:
    notification = graph.only("aws:s3/bucketNotification:BucketNotification").inputs
    assert notification["bucket"] == graph.named("in-uploads-bucket").outputs["bucket"]
    assert notification["queues"] == [
        {"events": ["s3:ObjectCreated:*"], "queueArn": graph.named("in-queue").outputs["arn"]}
    ]


def test_notification_waits_for_the_queue_policy(graph: Graph) -> None:
    assert "in-queue-policy" in graph.waits_for(graph.named("in-uploads-notification"))


def test_only_this_bucket_of_this_account_may_send_to_the_queue(graph: Graph) -> None:
    queue, bucket = graph.named("in-queue").outputs, graph.named("in-uploads-bucket").outputs
    policy = graph.named("in-queue-policy").inputs
    assert policy["queueUrl"] == queue["url"]
    allowed = [s for s in json.loads(policy["policy"])["Statement"] if s["Effect"] == "Allow"]
    assert allowed == [
        {
            "Sid": "BucketSendsEvents",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue["arn"],
            "Condition": {
                "ArnEquals": {"aws:SourceArn": bucket["arn"]},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            },
        }
    ]


@pytest.mark.parametrize("queue", ["in-dead-letters", "in-resends"])
def test_no_other_queue_lets_anybody_in_by_its_own_policy(graph: Graph, queue: str) -> None:
    policy = graph.named(f"{queue}-policy").inputs
    assert policy["queueUrl"] == graph.named(queue).outputs["url"]
    assert [s["Effect"] for s in json.loads(policy["policy"])["Statement"]] == ["Deny"]


def test_dead_letter_is_kept_for_longer_than_a_message(graph: Graph) -> None:
    assert graph.named("in-queue").inputs["messageRetentionSeconds"] == 4 * DAY
    assert graph.named("in-resends").inputs["messageRetentionSeconds"] == 4 * DAY
    assert graph.named("in-dead-letters").inputs["messageRetentionSeconds"] == 14 * DAY


@pytest.mark.parametrize(("timeout", "window", "visibility"), [(60, 1, 361), (60, 0, 360), (900, 300, 5700)])
def test_visibility_is_six_times_the_timeout_plus_the_window(
    timeout: int, window: int, visibility: int
) -> None:
    graph = ingest_graph(function_timeout_seconds=timeout, batch_window_seconds=window)
    for queue in ("in-queue", "in-resends"):
        assert graph.named(queue).inputs["visibilityTimeoutSeconds"] == visibility
    assert graph.only("aws:lambda/function:Function").inputs["timeout"] == timeout


@pytest.mark.parametrize(
    ("name", "queue", "concurrency"),
    [("in-processor-source", "in-queue", 10), ("in-resends-source", "in-resends", 2)],
)
def test_processor_takes_batches_with_partial_answers_and_bounded_concurrency(
    graph: Graph, name: str, queue: str, concurrency: int
) -> None:
    mapping = graph.named(name)
    assert mapping.inputs["eventSourceArn"] == graph.named(queue).outputs["arn"]
    assert mapping.inputs["functionName"] == graph.named("in-processor-function").outputs["arn"]
    assert mapping.inputs["functionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping.inputs["scalingConfig"] == {"maximumConcurrency": concurrency}
    assert mapping.inputs["batchSize"] == 10
    assert mapping.inputs["maximumBatchingWindowInSeconds"] == 1
    assert "filterCriteria" not in mapping.inputs
    assert "in-processor-policy" in graph.waits_for(mapping)


@pytest.mark.parametrize("prefix", ["", "receipts/"])
def test_processor_may_do_exactly_what_it_does(prefix: str) -> None:
    graph = ingest_graph(upload_prefix=prefix)
    bucket, table, queue, resends = (
        graph.named(name).outputs["arn"]
        for name in ("in-uploads-bucket", "ledger-table", "in-queue", "in-resends")
    )
    statements = graph.statements("in-processor-policy")
    del statements["WriteOwnLogs"], statements["WriteTraces"]
    assert {(str(s["Action"]), str(s["Resource"])) for s in statements.values()} == {
        ("s3:GetObjectVersion", f"{bucket}/{prefix}*"),
        ("['s3:ListBucket', 's3:ListBucketVersions']", bucket),
        ("dynamodb:PutItem", table),
        ("['dynamodb:GetItem', 'dynamodb:Query']", table),
        ("dynamodb:Query", f"{table}/index/by_recorded_time"),
        ("['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage']", str([queue, resends])),
    }


def test_processor_is_told_its_ledger_its_bucket_and_its_rules() -> None:
    key, former = "arn:aws:kms:eu-central-1:123456789012:key/k", "arn:aws:kms:eu-central-1:123456789012:key/f"
    graph = ingest_graph(upload_prefix="receipts/", stack=stack_args(key_arn=key, former_key_arns=[former]))
    assert graph.only("aws:lambda/function:Function").inputs["environment"]["variables"] == {
        "SERVICE_NAME": "in-processor",
        "STACK_NAME": "test",
        "LEDGER_TABLE": graph.named("ledger-table").outputs["name"],
        "LEDGER_SHARDS": "4",
        "QUEUE_ARN": graph.named("in-queue").outputs["arn"],
        "ACCOUNT_ID": ACCOUNT,
        "FORM_SIGNER": "nobody",
        "UPLOAD_LOCATION": graph.named("in-uploads-bucket").outputs["bucket"] + "/receipts/",
        "READABLE_ENCRYPTION": f"AES256,{key},{former}",
        "MAX_RECEIPT_BYTES": "20971520",
        "ACCEPTED_TYPES": "application/pdf,image/png",
    }


def test_processor_has_the_layers_that_all_components_are_given(graph: Graph) -> None:
    assert graph.only("aws:lambda/function:Function").inputs["layers"] == [LAYER]


def test_bucket_policy_waits_for_the_public_access_block(graph: Graph) -> None:
    assert "in-uploads-public-access" in graph.waits_for(graph.named("in-uploads-policy"))


def test_bucket_is_open_to_configured_origins_only() -> None:
    closed = ingest_graph().of_type("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration")
    (opened,) = ingest_graph(allowed_origins=["https://receipts.example.com"]).of_type(
        "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
    )
    (rule,) = opened.inputs["corsRules"]
    assert closed == []
    assert rule["allowedOrigins"] == ["https://receipts.example.com"]
    assert rule["allowedMethods"] == ["POST", "PUT"]
    assert {"amz-sdk-*", "x-amz-*"} <= set(rule["allowedHeaders"])
    assert rule["exposeHeaders"] == ["ETag", "x-amz-version-id"]


@pytest.mark.parametrize("protect", [True, False])
def test_bucket_is_emptied_on_destroy_only_where_not_protected(protect: bool) -> None:
    graph = ingest_graph(stack=stack_args(protect_data=protect))
    for bucket in graph.of_type("aws:s3/bucket:Bucket"):
        assert bucket.protect is protect
        assert bucket.inputs["forceDestroy"] is not protect


def test_time_out_leaves_time_for_the_slowest_call_of_a_message_that_was_begun() -> None:
    config = CLIENT_CONFIG
    attempt_seconds = config.connect_timeout + config.read_timeout  # type: ignore[attr-defined]
    attempts = config.retries["total_max_attempts"]  # type: ignore[attr-defined]
    backoff_seconds = sum(2**attempt for attempt in range(attempts - 1))  # standard mode's longest pauses
    assert attempt_seconds * attempts + backoff_seconds < CALL_SECONDS
    assert config.read_timeout < READ_SECONDS  # type: ignore[attr-defined]
    # The two calls of a receipt, and the time that is left after the second.
    assert 2 * CALL_SECONDS < MIN_TIMEOUT_SECONDS


def test_access_logs_expire_with_all_logs_and_uploads_never(graph: Graph) -> None:
    assert graph.named("in-uploads-logging").inputs == {
        "bucket": graph.named("in-uploads-bucket").outputs["bucket"],
        "targetBucket": graph.named("in-access-logs-bucket").outputs["bucket"],
        "targetPrefix": "uploads/",
    }
    assert "in-access-logs-policy" in graph.waits_for(graph.named("in-uploads-logging"))
    _, expiry = graph.named("in-access-logs-lifecycle").inputs["rules"]
    assert expiry["expiration"] == {"days": 30}
    assert expiry["noncurrentVersionExpiration"] == {"noncurrentDays": 1}


def test_uploads_are_locked_where_asked_and_access_logs_never() -> None:
    graph = ingest_graph(object_lock_days=30)
    (lock,) = graph.of_type("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    assert lock.inputs["bucket"] == graph.named("in-uploads-bucket").outputs["bucket"]
    assert lock.inputs["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 30}}


def test_lock_is_put_on_a_bucket_that_keeps_versions_already() -> None:
    graph = ingest_graph(object_lock_days=30)
    assert "in-uploads-versioning" in graph.waits_for(graph.named("in-uploads-object-lock"))


@pytest.mark.parametrize("days", [0, 30])
def test_no_bucket_is_replaced_when_a_lock_comes_or_goes(days: int) -> None:
    """A change of `objectLockEnabled` replaces a bucket; in old states it is true, so it must be ignored."""
    for bucket in ingest_graph(object_lock_days=days).of_type("aws:s3/bucket:Bucket"):
        assert "objectLockEnabled" not in bucket.inputs
        assert "objectLockEnabled" in bucket.ignore_changes


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"accepted_types": ["text/html"]}, "accepted_types"),
        ({"batch_size": 11, "batch_window_seconds": 0}, "batch_window_seconds"),
        ({"function_timeout_seconds": 60, "max_receipt_megabytes": 351}, "function_timeout_seconds"),
        ({"object_lock_mode": "legal-hold", "object_lock_days": 30}, "object_lock_mode"),
        ({"object_lock_mode": "compliance", "object_lock_days": 0}, "object_lock_days"),
        ({"object_lock_days": 36_501}, "object_lock_days"),
        ({"memory_megabytes": 127}, "memory_megabytes"),
    ],
)
def test_bad_argument_is_refused_before_anything_is_created(changes: dict[str, Any], field: str) -> None:
    def program() -> None:
        ledger = new_ledger()
        with pytest.raises(InvalidInputError, match=rf"IngestPipelineArgs:\n  - {field} is .*; allowed: "):
            ingest_args(ledger, **changes)

    assert not any(resource.name.startswith("in") for resource in run(program).resources)
