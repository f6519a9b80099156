from __future__ import annotations

import pytest

from functions.contract.entry import UploadLocation
from functions.contract.environment import (
    NOBODY,
    EnvironmentVariablesError,
    ProcessorEnvironment,
    ReaderEnvironment,
    ReconcilerEnvironment,
    UploadFormsEnvironment,
    read_environment,
    write_environment,
)

GOOD = {
    ProcessorEnvironment: {
        "SERVICE_NAME": "in-processor",
        "STACK_NAME": "prod",
        "LEDGER_TABLE": "ledger",
        "LEDGER_SHARDS": "4",
        "QUEUE_ARN": "arn:aws:sqs:eu-central-1:123456789012:uploads",
        "ACCOUNT_ID": "123456789012",
        "FORM_SIGNER": "AROAEXAMPLEOFTHEFORMS",
        "UPLOAD_LOCATION": "receipts/in/",
        "READABLE_ENCRYPTION": "AES256,arn:aws:kms:eu-central-1:123456789012:key/1",
        "MAX_RECEIPT_BYTES": "20971520",
        "ACCEPTED_TYPES": "application/pdf, image/png,image/heic",
    },
    ReaderEnvironment: {"LEDGER_TABLE": "ledger", "LEDGER_SHARDS": "4", "LOG_BUCKET": "log"},
    UploadFormsEnvironment: {
        "LEDGER_TABLE": "ledger",
        "UPLOAD_LOCATION": "receipts/in/",
        "FORM_PREFIX": "in/uploads/",
        "FORM_LIFETIME_SECONDS": "900",
        "MAX_RECEIPT_BYTES": "20971520",
    },
    ReconcilerEnvironment: {
        "SERVICE_NAME": "reconciler",
        "STACK_NAME": "prod",
        "LEDGER_TABLE": "ledger",
        "UPLOAD_LOCATION": "receipts/in/",
        "QUEUE_ARN": "arn:aws:sqs:eu-central-1:123456789012:uploads",
        "QUEUE_URL": "https://sqs/uploads",
        "RESEND_QUEUE_URL": "https://sqs/resends",
        "DEAD_LETTER_QUEUE_URL": "https://sqs/dead-letters",
        "POLICY_DIGEST": "0f",
        "PROGRESS_BUCKET": "logs",
        "EVERY_HOURS": "6",
        "AGE_SECONDS": "3600",
    },
}
READ = {
    ProcessorEnvironment: ProcessorEnvironment(
        service="in-processor",
        stack="prod",
        ledger_table="ledger",
        ledger_shards=4,
        queue_arn="arn:aws:sqs:eu-central-1:123456789012:uploads",
        account_id="123456789012",
        form_signer="AROAEXAMPLEOFTHEFORMS",
        location=UploadLocation(bucket="receipts", prefix="in/"),
        readable_encryption=frozenset({"AES256", "arn:aws:kms:eu-central-1:123456789012:key/1"}),
        max_receipt_bytes=20 * 1024 * 1024,
        accepted_types=frozenset({"application/pdf", "image/png", "image/heic"}),
    ),
    ReaderEnvironment: ReaderEnvironment(ledger_table="ledger", ledger_shards=4, log_bucket="log"),
    UploadFormsEnvironment: UploadFormsEnvironment(
        ledger_table="ledger",
        location=UploadLocation(bucket="receipts", prefix="in/"),
        form_prefix="in/uploads/",
        form_lifetime_seconds=900,
        max_receipt_bytes=20 * 1024 * 1024,
    ),
    ReconcilerEnvironment: ReconcilerEnvironment(
        service="reconciler",
        stack="prod",
        ledger_table="ledger",
        location=UploadLocation(bucket="receipts", prefix="in/"),
        queue_arn="arn:aws:sqs:eu-central-1:123456789012:uploads",
        queue_url="https://sqs/uploads",
        resend_queue_url="https://sqs/resends",
        dead_letter_queue_url="https://sqs/dead-letters",
        policy_digest="0f",
        progress_bucket="logs",
        every_hours=6,
        age_seconds=3600,
    ),
}
Environment = type[ProcessorEnvironment | ReaderEnvironment | UploadFormsEnvironment]
EACH = pytest.mark.parametrize("environment", GOOD)


@EACH
def test_it_is_read_from_the_variables(environment: Environment) -> None:
    assert read_environment(environment, GOOD[environment]) == READ[environment]


@EACH
def test_everything_that_is_missing_is_named_at_once(environment: Environment) -> None:
    with pytest.raises(EnvironmentVariablesError) as refused:
        read_environment(environment, {})

    assert set(str(refused.value).split("; ")) == {f"{name} is not set" for name in GOOD[environment]}


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        (environment, name)
        for environment, variables in GOOD.items()
        for name in variables
        if name.endswith(("SHARDS", "BYTES", "SECONDS"))
    ],
)
@pytest.mark.parametrize("value", ["0", "-1", "four", "1.5", "1e3", "²"])
def test_a_wrong_number_is_named_with_its_value(environment: Environment, name: str, value: str) -> None:
    with pytest.raises(
        EnvironmentVariablesError, match=rf"^{name} is '{value}', but must be a whole number, 1 or more$"
    ):
        read_environment(environment, {**GOOD[environment], name: value})


@pytest.mark.parametrize("listed", ["image/png,image/jpg", " , "])
def test_types_that_no_receipt_has_and_empty_lists_are_refused(listed: str) -> None:
    said = f"^ACCEPTED_TYPES is '{listed.strip()}', but must be a list of these, .*: application/pdf, "
    with pytest.raises(EnvironmentVariablesError, match=said):
        read_environment(ProcessorEnvironment, {**GOOD[ProcessorEnvironment], "ACCEPTED_TYPES": listed})


@pytest.mark.parametrize(
    "signer", ["AIDAEXAMPLE", "AROA", "AROAEXAMPLE:session", "bill-e-api-uploads-role", "*"]
)
def test_only_a_role_signs_forms(signer: str) -> None:
    with pytest.raises(EnvironmentVariablesError, match=r"but must be the unique id of a role, or nobody$"):
        read_environment(ProcessorEnvironment, {**GOOD[ProcessorEnvironment], "FORM_SIGNER": signer})


def test_nobody_signs_forms_where_there_are_none() -> None:
    variables = {**GOOD[ProcessorEnvironment], "FORM_SIGNER": NOBODY}

    assert read_environment(ProcessorEnvironment, variables).form_signer is None


@EACH
def test_what_a_stack_writes_is_what_the_function_reads(environment: Environment) -> None:
    values = vars(READ[environment])
    written = {
        name: sorted(value)
        if isinstance(value, frozenset)
        else f"{value.bucket}/{value.prefix}"
        if isinstance(value, UploadLocation)
        else value
        for name, value in values.items()
    }

    assert read_environment(environment, write_environment(environment, **written)) == READ[environment]


@pytest.mark.parametrize("values", [{"ledger_table": "ledger"}, {**vars(READ[ReaderEnvironment]), "more": 1}])
def test_a_stack_writes_every_variable_and_no_other(values: dict[str, object]) -> None:
    with pytest.raises(
        ValueError, match="ReaderEnvironment has ledger_table, ledger_shards, log_bucket, not ledger_table"
    ):
        write_environment(ReaderEnvironment, **values)
