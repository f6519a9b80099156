"""What a stack tells its functions in environment variables. All that is wrong is reported at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from functions.contract import environment as names
from functions.contract import media_types

if TYPE_CHECKING:
    from collections.abc import Mapping


class EnvironmentVariablesError(Exception):
    """Environment variables cannot be used: names each one that is wrong, its value and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class ProcessorEnvironment:
    """What the processor is told: itself, for the metrics, its ledger, and which receipts to accept."""

    service: str
    stack: str
    ledger_table: str
    ledger_shards: int
    max_receipt_bytes: int
    accepted_types: frozenset[str]

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Self:
        """Read the variables, or raise `EnvironmentVariablesError`."""
        reader = _Variables(variables)
        environment = cls(
            service=reader.text(names.SERVICE_NAME),
            stack=reader.text(names.STACK_NAME),
            ledger_table=reader.text(names.LEDGER_TABLE),
            ledger_shards=reader.count(names.LEDGER_SHARDS),
            max_receipt_bytes=reader.count(names.MAX_RECEIPT_BYTES),
            accepted_types=reader.media_types(names.ACCEPTED_TYPES),
        )
        reader.check()
        return environment


@dataclass(frozen=True, kw_only=True)
class ReaderEnvironment:
    """What the reader is told: its ledger."""

    ledger_table: str
    ledger_shards: int

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Self:
        """Read the variables, or raise `EnvironmentVariablesError`."""
        reader = _Variables(variables)
        environment = cls(
            ledger_table=reader.text(names.LEDGER_TABLE), ledger_shards=reader.count(names.LEDGER_SHARDS)
        )
        reader.check()
        return environment


@dataclass(frozen=True, kw_only=True)
class UploadFormsEnvironment:
    """What the upload-forms function is told: its ledger, and what a form allows to be uploaded where."""

    ledger_table: str
    bucket: str
    form_prefix: str
    form_lifetime: timedelta
    max_receipt_bytes: int

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Self:
        """Read the variables, or raise `EnvironmentVariablesError`."""
        reader = _Variables(variables)
        environment = cls(
            ledger_table=reader.text(names.LEDGER_TABLE),
            bucket=reader.text(names.UPLOADS_BUCKET),
            form_prefix=reader.text(names.FORM_PREFIX),
            form_lifetime=timedelta(seconds=reader.count(names.FORM_LIFETIME_SECONDS)),
            max_receipt_bytes=reader.count(names.MAX_RECEIPT_BYTES),
        )
        reader.check()
        return environment


class _Variables:
    """Reads variables one by one and collects what is wrong; `check` comes after the last of them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._errors: list[str] = []

    def text(self, name: str) -> str:
        value = self._values.get(name, "").strip()
        if not value:
            self._errors.append(f"{name} is not set")
        return value

    def count(self, name: str) -> int:
        """Return a variable that is a whole number from 1."""
        value = self.text(name)
        if value.isascii() and value.isdecimal() and int(value) > 0:
            return int(value)
        if value:
            self._errors.append(f"{name} is {value!r}, but must be a whole number from 1")
        return 0

    def media_types(self, name: str) -> frozenset[str]:
        """Return a variable that lists media types, separated by commas."""
        listed = self.text(name)
        types = frozenset(part.strip() for part in listed.split(",") if part.strip())
        if listed and not types:
            self._errors.append(f"{name} is {listed!r}, but must list at least one media type")
        allowed = ", ".join(media_types.ACCEPTABLE)
        self._errors += [
            f"{name} has {unknown!r}, but may only have {allowed}"
            for unknown in sorted(types.difference(media_types.ACCEPTABLE))
        ]
        return types

    def check(self) -> None:
        if self._errors:
            raise EnvironmentVariablesError("; ".join(self._errors))
