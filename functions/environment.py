"""What a function is given: environment variables by its stack, and an invocation's context by Lambda."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from functions.contract import environment as names
from functions.contract import media_types

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

E = TypeVar("E")


class EnvironmentVariablesError(Exception):
    """Names each environment variable that is wrong, its value, and what is allowed."""


def read_environment(kind: type[E], variables: Mapping[str, str]) -> E:
    """Read a function's environment, or raise `EnvironmentVariablesError` with everything that is wrong."""
    values, errors = {}, []
    for each in fields(kind):  # type: ignore[arg-type]
        name, text = each.metadata["name"], variables.get(each.metadata["name"], "").strip()
        try:
            values[each.name] = each.metadata["parse"](text)
        except ValueError as allowed:
            errors.append(f"{name} is {text!r}, but must be {allowed}" if text else f"{name} is not set")
    if errors:
        raise EnvironmentVariablesError("; ".join(errors))
    return kind(**values)


# Each of these raises a ValueError that says what is allowed.


def _text(text: str) -> str:
    if not text:
        raise ValueError("set")
    return text


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise ValueError("a whole number from 1")


def _media_types(text: str) -> frozenset[str]:
    types = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not types or not types <= {*media_types.ACCEPTABLE}:
        raise ValueError(f"a list of these, with commas between them: {', '.join(media_types.ACCEPTABLE)}")
    return types


def _variable(name: str, parse: Callable[[str], object] = _text) -> Any:
    return field(metadata={"name": name, "parse": parse})


@dataclass(frozen=True, kw_only=True)
class ProcessorEnvironment:
    """The processor's names in its metrics, its ledger, and which receipts to accept."""

    service: str = _variable(names.SERVICE_NAME)
    stack: str = _variable(names.STACK_NAME)
    ledger_table: str = _variable(names.LEDGER_TABLE)
    ledger_shards: int = _variable(names.LEDGER_SHARDS, _count)
    max_receipt_bytes: int = _variable(names.MAX_RECEIPT_BYTES, _count)
    accepted_types: frozenset[str] = _variable(names.ACCEPTED_TYPES, _media_types)


@dataclass(frozen=True, kw_only=True)
class ReaderEnvironment:
    """The reader's ledger."""

    ledger_table: str = _variable(names.LEDGER_TABLE)
    ledger_shards: int = _variable(names.LEDGER_SHARDS, _count)


@dataclass(frozen=True, kw_only=True)
class UploadFormsEnvironment:
    """The upload-forms function's ledger, and where and how large an upload may be."""

    ledger_table: str = _variable(names.LEDGER_TABLE)
    bucket: str = _variable(names.UPLOADS_BUCKET)
    form_prefix: str = _variable(names.FORM_PREFIX)
    form_lifetime_seconds: int = _variable(names.FORM_LIFETIME_SECONDS, _count)
    max_receipt_bytes: int = _variable(names.MAX_RECEIPT_BYTES, _count)


class LambdaContext(Protocol):
    """The part of Lambda's context object that the functions use.

    AWS Lambda Developer Guide, "Using the Lambda context object to retrieve Python function information".
    """

    @property
    def aws_request_id(self) -> str:
        """The invocation's id, as in Lambda's own log lines."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""
