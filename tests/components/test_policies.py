from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.policies import keys, people, resources, roles
from components.policies.documents import Statement, resolve, to_json
from tests.components.controls.rules import as_list
from tests.components.mocks import run

BUCKET, TABLE = "arn:aws:s3:::uploads", "arn:aws:dynamodb:eu-central-1:123456789012:table/ledger"


LOG = "arn:aws:s3:::log"
API = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3"
FINGERPRINT = "?" * 64


def actions_of(statements: list[Statement]) -> set[tuple[str, str]]:
    """Every action that is allowed, with its resource."""
    return {
        (action, resource)
        for statement in statements
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def test_caller_may_upload_and_read_the_ledger_and_gets_no_files() -> None:
    policy = people.caller_policy(BUCKET, API, "receipts/", key_arn=None, dns_suffix="amazonaws.com")
    assert [(s["Action"], s["Resource"]) for s in policy["Statement"]] == [
        (
            "execute-api:Invoke",
            [
                f"{API}/*/GET/receipts",
                f"{API}/*/GET/receipts/{FINGERPRINT}",
                f"{API}/*/POST/receipts/lookup",
                f"{API}/*/GET/receipts/{FINGERPRINT}/proof",
                f"{API}/*/GET/log/*",
                f"{API}/*/POST/uploads",
            ],
        ),
        ("s3:PutObject", f"{BUCKET}/receipts/*"),
    ]


def auditor_statements(key_arn: str | None = None) -> list[Statement]:
    statements: list[Statement] = people.auditor_policy(
        bucket_arn=BUCKET,
        api_execution_arn=API,
        upload_prefix="receipts/",
        table_arn=TABLE,
        index_arn=f"{TABLE}/index/i",
        log_bucket_arn=LOG,
        queue_arns=["arn:aws:sqs:r:1:queue"],
        log_group_arns=["arn:aws:logs:r:1:log-group:api"],
        key_arn=key_arn,
        dns_suffix="amazonaws.com",
    )["Statement"]
    return statements


@pytest.mark.claim(
    "an auditor may read the ledger and its log, get files through the API, list object versions, and see "
    "their locks, the bucket's configuration, the queues' lengths and who asked for what, and change nothing",
    section="Least privilege",
)
def test_auditor_reads_everything_and_changes_nothing() -> None:
    allowed = actions_of(auditor_statements())

    assert allowed == {
        ("execute-api:Invoke", f"{API}/*/GET/receipts"),
        ("execute-api:Invoke", f"{API}/*/GET/receipts/{FINGERPRINT}"),
        ("execute-api:Invoke", f"{API}/*/GET/receipts/{FINGERPRINT}/proof"),
        ("execute-api:Invoke", f"{API}/*/GET/log/*"),
        ("execute-api:Invoke", f"{API}/*/GET/files/{FINGERPRINT}"),
        ("execute-api:Invoke", f"{API}/*/POST/receipts/lookup"),
        ("s3:ListBucketVersions", BUCKET),
        ("s3:GetObjectRetention", f"{BUCKET}/receipts/*"),
        ("s3:GetBucketNotification", BUCKET),
        ("s3:GetBucketObjectLockConfiguration", BUCKET),
        ("s3:GetBucketPolicy", BUCKET),
        ("s3:GetBucketPublicAccessBlock", BUCKET),
        ("s3:GetBucketVersioning", BUCKET),
        ("s3:GetLifecycleConfiguration", BUCKET),
        ("dynamodb:Query", TABLE),
        ("dynamodb:Query", f"{TABLE}/index/i"),
        ("dynamodb:Scan", TABLE),
        ("s3:GetObject", f"{LOG}/checkpoint"),
        ("s3:GetObject", f"{LOG}/tile/*"),
        ("s3:ListBucket", LOG),
        ("sqs:GetQueueAttributes", "arn:aws:sqs:r:1:queue"),
        ("logs:FilterLogEvents", "arn:aws:logs:r:1:log-group:api"),
        ("logs:FilterLogEvents", "arn:aws:logs:r:1:log-group:api:*"),
    }


def test_auditor_of_a_stack_with_its_own_key_may_only_decrypt_the_ledger_and_its_log() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/k"
    (use,) = (statement for statement in auditor_statements(key) if statement["Resource"] == key)

    assert use["Action"] == "kms:Decrypt"
    services = [f"{service}.eu-central-1.amazonaws.com" for service in ("dynamodb", "s3")]
    assert use["Condition"] == {"StringEquals": {"kms:ViaService": services}}


def operator_statements(**changes: Any) -> list[Statement]:
    arns = (
        *("bucket_arn", "table_arn", "index_arn", "queue_arn", "resend_queue_arn", "dead_letter_queue_arn"),
        *("log_bucket_arn", "operations_log_arn"),
    )
    given = {name: name for name in arns} | {"bucket_arn": BUCKET, "table_arn": TABLE}
    keys = {"key_arn": None, "former_key_arns": (), "dns_suffix": "amazonaws.com"}
    statements: list[Statement] = people.operator_policy(**(given | keys | changes))["Statement"]
    return statements


@pytest.mark.claim(
    "an operator may list object versions, read the ledger without uploaders and the log that seals it, "
    "count messages, send to the resend queue, look at, delete and redrive dead letters, and add to the log "
    "of operations, and nothing else",
    section="Least privilege",
)
def test_operator_sees_versions_and_entries_without_uploaders_and_moves_messages_and_no_more() -> None:
    index = f"{TABLE}/index/by_recorded_time"
    queue, resends, dead = (f"arn:aws:sqs:r:1:{name}" for name in ("queue", "resends", "dead"))
    log = "arn:aws:logs:r:1:log-group:operations"
    statements = operator_statements(
        index_arn=index,
        log_bucket_arn=LOG,
        queue_arn=queue,
        resend_queue_arn=resends,
        dead_letter_queue_arn=dead,
        operations_log_arn=log,
    )

    assert actions_of(statements) == {
        ("s3:ListBucketVersions", BUCKET),
        ("dynamodb:Scan", TABLE),
        ("dynamodb:Query", index),
        ("s3:GetObject", f"{LOG}/checkpoint"),
        ("s3:GetObject", f"{LOG}/tile/*"),
        ("s3:ListBucket", LOG),
        ("sqs:SendMessage", resends),
        ("sqs:GetQueueAttributes", queue),
        ("sqs:GetQueueAttributes", resends),
        ("sqs:GetQueueAttributes", dead),
        ("sqs:ReceiveMessage", dead),
        ("sqs:ChangeMessageVisibility", dead),
        ("sqs:DeleteMessage", dead),
        ("sqs:ListMessageMoveTasks", dead),
        ("sqs:StartMessageMoveTask", dead),
        ("logs:CreateLogStream", f"{log}:*"),
        ("logs:PutLogEvents", f"{log}:*"),
    }
    reads = [statement for statement in statements if "dynamodb" in statement["Action"]]
    for read in reads:
        attributes = set(read["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"])
        assert not attributes & {"principal", "source_ip", "caller"}
        assert read["Condition"]["StringEquals"] == {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}


def test_operator_of_a_stack_with_its_own_key_may_use_it_through_what_it_may_read_or_send() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/k"
    statements = operator_statements(key_arn=key)

    used = {
        statement["Action"]: set(statement["Condition"]["StringEquals"]["kms:ViaService"])
        for statement in statements
        if statement["Resource"] == key
    }
    assert used == {
        "kms:Decrypt": {f"{service}.eu-central-1.amazonaws.com" for service in ("dynamodb", "s3", "sqs")},
        "kms:GenerateDataKey": {"sqs.eu-central-1.amazonaws.com"},
    }


def test_operator_may_decrypt_with_former_keys_and_not_encrypt() -> None:
    former = ["arn:aws:kms:eu-central-1:1:key/a", "arn:aws:kms:eu-central-1:1:key/b"]
    statements = operator_statements(former_key_arns=former)

    (use,) = (statement for statement in statements if "kms" in str(statement["Action"]))
    assert (use["Action"], use["Resource"]) == ("kms:Decrypt", former)
    assert use["Condition"] == {
        "StringEquals": {
            "kms:ViaService": [
                f"{service}.eu-central-1.amazonaws.com" for service in ("dynamodb", "s3", "sqs")
            ]
        }
    }


def test_former_keys_are_for_functions_that_read() -> None:
    assert keys.former_key_statements(["arn:aws:kms:eu-central-1:1:key/a"], [], "amazonaws.com") == []
    assert keys.former_key_statements([], ["s3"], "amazonaws.com") == []


def test_value_that_turns_out_to_be_missing_is_an_error_that_names_it() -> None:
    def program() -> None:
        missing: pulumi.Output[Any] = pulumi.Output.from_input(None)
        statements = resolve(roles.reader_statements, table_arn=TABLE, index_arn=missing)
        pulumi.export("policy", to_json(statements))

    with pytest.raises(ValueError, match="reader_statements: no value for index_arn"):
        run(program)


@pytest.mark.parametrize("kind", ["GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "A_CLASS_OF_NEXT_YEAR"])
def test_objects_in_an_archive_are_refused(kind: str) -> None:
    (refusal,) = [s for s in resources.bucket_statements("arn:aws:s3:::b") if s["Sid"] == "NoArchive"]
    assert (refusal["Effect"], refusal["Principal"], refusal["Action"]) == ("Deny", "*", "s3:PutObject")
    assert refusal["Condition"]["Null"] == {"s3:x-amz-storage-class": "false"}
    assert kind not in refusal["Condition"]["StringNotEquals"]["s3:x-amz-storage-class"]


def test_objects_under_any_other_key_are_refused_without_a_customer_key() -> None:
    (refusal,) = resources.s3_key_statements("arn:aws:s3:::b")
    assert (refusal["Effect"], refusal["Principal"], refusal["Action"]) == ("Deny", "*", "s3:PutObject")
    header = "s3:x-amz-server-side-encryption"
    assert refusal["Condition"] == {"StringNotEquals": {header: "AES256"}, "Null": {header: "false"}}


def test_objects_that_only_their_uploader_could_read_are_refused() -> None:
    (refusal,) = [
        s for s in resources.bucket_statements("arn:aws:s3:::b") if s["Sid"] == "NoKeyOfTheUploader"
    ]
    assert (refusal["Effect"], refusal["Principal"], refusal["Action"]) == ("Deny", "*", "s3:PutObject")
    assert refusal["Resource"] == "arn:aws:s3:::b/*"
    assert refusal["Condition"] == {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}}
