from __future__ import annotations

import pytest

from functions.environment import EnvironmentVariablesError
from functions.processor.settings import Settings, read_settings

GOOD = {
    "SERVICE_NAME": "in-processor",
    "STACK_NAME": "prod",
    "LEDGER_TABLE": "ledger",
    "LEDGER_SHARDS": "4",
    "MAX_RECEIPT_BYTES": "20971520",
    "ACCEPTED_TYPES": "application/pdf, image/png,image/heic",
}


def test_settings_are_read_from_the_environment() -> None:
    assert read_settings(GOOD) == Settings(
        service="in-processor",
        stack="prod",
        ledger_table="ledger",
        ledger_shards=4,
        max_receipt_bytes=20 * 1024 * 1024,
        accepted_types=frozenset({"application/pdf", "image/png", "image/heic"}),
    )


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(EnvironmentVariablesError) as refused:
        read_settings({})

    assert all(f"{name} is not set" in str(refused.value) for name in GOOD)


@pytest.mark.parametrize("name", ["LEDGER_SHARDS", "MAX_RECEIPT_BYTES"])
@pytest.mark.parametrize("value", ["0", "-1", "four", "1.5", "1e3", "²"])
def test_a_wrong_number_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(
        EnvironmentVariablesError, match=rf"^{name} is '{value}', but must be a whole number from 1$"
    ):
        read_settings({**GOOD, name: value})


def test_a_type_that_could_never_be_recognised_is_refused() -> None:
    with pytest.raises(EnvironmentVariablesError, match="ACCEPTED_TYPES has 'image/jpg'"):
        read_settings({**GOOD, "ACCEPTED_TYPES": "image/png,image/jpg"})


def test_a_list_of_no_types_is_refused() -> None:
    with pytest.raises(EnvironmentVariablesError, match="ACCEPTED_TYPES"):
        read_settings({**GOOD, "ACCEPTED_TYPES": " , "})
