"""The environment variables of each function: a stack writes them, and the function reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from functions.contract.entry import UploadLocation
from functions.contract.processing import ACCEPTABLE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

E = TypeVar("E")

LEDGER_SHARDS: Final = "LEDGER_SHARDS"

NOBODY: Final = "nobody"
"""Stands for the signer of forms where there are no forms."""


class EnvironmentVariablesError(Exception):
    """Names each environment variable that is wrong, its value, and what is allowed."""


def write_environment(kind: type[E], **values: Any) -> dict[str, Any]:
    """Write a function's environment as variables: numbers as text, lists with commas, all else as it is.

    Raise ValueError unless there is a value for each field. A value may be an output of Pulumi.
    """
    names = {each.name: each.metadata["name"] for each in fields(kind)}  # type: ignore[arg-type]
    if values.keys() != names.keys():
        raise ValueError(f"{kind.__name__} has {', '.join(names)}, not {', '.join(values)}")
    return {names[name]: _written(value) for name, value in values.items()}


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


def _written(value: Any) -> Any:
    if isinstance(value, int):
        return str(value)
    return ",".join(value) if isinstance(value, list | tuple) else value


# Each of these raises a ValueError that says what is allowed.


def _text(text: str) -> str:
    if not text:
        raise ValueError("set")
    return text


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise ValueError("a whole number, 1 or more")


def _media_types(text: str) -> frozenset[str]:
    types = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not types or not types <= {*ACCEPTABLE_TYPES}:
        raise ValueError(f"a list of these, with commas between them: {', '.join(ACCEPTABLE_TYPES)}")
    return types


def _location(text: str) -> UploadLocation:
    bucket, slash, prefix = text.partition("/")
    if not bucket or not slash:
        raise ValueError("a bucket, a slash, and a prefix or nothing")
    return UploadLocation(bucket=bucket, prefix=prefix)


def _list(text: str) -> frozenset[str]:
    if not text:
        raise ValueError("a list with commas between its values")
    return frozenset(text.split(","))


def _role_id(text: str) -> str | None:
    if not re.fullmatch(rf"AROA[A-Z0-9]+|{NOBODY}", text):
        raise ValueError(f"the unique id of a role, or {NOBODY}")
    return None if text == NOBODY else text


def _variable(name: str, parse: Callable[[str], object] = _text) -> Any:
    return field(metadata={"name": name, "parse": parse})


@dataclass(frozen=True, kw_only=True)
class ProcessorEnvironment:
    """The processor's names in its metrics, its ledger, where receipts are, and which to accept.

    Only messages from ``queue_arn`` come from S3. ``account_id`` owns the bucket. The role
    whose unique id is ``form_signer`` signs callers into forms; if it is ``None``, there are no forms. The
    processor can read objects under ``readable_encryption``: KMS keys by their ARNs, and `processing.S3_KEY`.
    """

    service: str = _variable("SERVICE_NAME")
    stack: str = _variable("STACK_NAME")
    ledger_table: str = _variable("LEDGER_TABLE")
    ledger_shards: int = _variable(LEDGER_SHARDS, _count)
    queue_arn: str = _variable("QUEUE_ARN")
    account_id: str = _variable("ACCOUNT_ID")
    form_signer: str | None = _variable("FORM_SIGNER", _role_id)
    location: UploadLocation = _variable("UPLOAD_LOCATION", _location)  # noqa: RUF009 - a field
    readable_encryption: frozenset[str] = _variable("READABLE_ENCRYPTION", _list)
    max_receipt_bytes: int = _variable("MAX_RECEIPT_BYTES", _count)
    accepted_types: frozenset[str] = _variable("ACCEPTED_TYPES", _media_types)


@dataclass(frozen=True, kw_only=True)
class ReaderEnvironment:
    """The reader's ledger."""

    ledger_table: str = _variable("LEDGER_TABLE")
    ledger_shards: int = _variable(LEDGER_SHARDS, _count)


@dataclass(frozen=True, kw_only=True)
class UploadFormsEnvironment:
    """The upload-forms function's ledger, where receipts are, and where and how large an upload may be.

    ``form_prefix`` is below the upload prefix, and ends in a slash.
    """

    ledger_table: str = _variable("LEDGER_TABLE")
    location: UploadLocation = _variable("UPLOAD_LOCATION", _location)  # noqa: RUF009 - a field
    form_prefix: str = _variable("FORM_PREFIX")
    form_lifetime_seconds: int = _variable("FORM_LIFETIME_SECONDS", _count)
    max_receipt_bytes: int = _variable("MAX_RECEIPT_BYTES", _count)


@dataclass(frozen=True, kw_only=True)
class FileLinksEnvironment:
    """The file-links function's ledger, where receipts are, and how long a link to one can be used."""

    ledger_table: str = _variable("LEDGER_TABLE")
    location: UploadLocation = _variable("UPLOAD_LOCATION", _location)  # noqa: RUF009 - a field
    link_lifetime_seconds: int = _variable("LINK_LIFETIME_SECONDS", _count)


@dataclass(frozen=True, kw_only=True)
class ReconcilerEnvironment:
    """The reconciler's names in its metrics, and what it compares, and how often.

    ``queue_arn`` and ``policy_digest`` are what the bucket's configuration must have. An upload is judged
    once it is ``age_seconds`` old. The progress is in ``progress_bucket``.
    """

    service: str = _variable("SERVICE_NAME")
    stack: str = _variable("STACK_NAME")
    ledger_table: str = _variable("LEDGER_TABLE")
    location: UploadLocation = _variable("UPLOAD_LOCATION", _location)  # noqa: RUF009 - a field
    queue_arn: str = _variable("QUEUE_ARN")
    queue_url: str = _variable("QUEUE_URL")
    resend_queue_url: str = _variable("RESEND_QUEUE_URL")
    dead_letter_queue_url: str = _variable("DEAD_LETTER_QUEUE_URL")
    policy_digest: str = _variable("POLICY_DIGEST")
    progress_bucket: str = _variable("PROGRESS_BUCKET")
    every_hours: int = _variable("EVERY_HOURS", _count)
    age_seconds: int = _variable("AGE_SECONDS", _count)
