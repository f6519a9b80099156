"""The processor's settings, from its environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.processor.media_types import RECOGNISED

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsError(Exception):
    """The environment cannot be used: names every variable that is wrong, its value and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the processor is told from outside; sizes in bytes."""

    ledger_table: str
    ledger_shards: int
    max_receipt_bytes: int
    accepted_types: frozenset[str]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings, or raise SettingsError about all that is wrong at once."""
    errors: list[str] = []

    def text(name: str) -> str:
        value = environment.get(name, "").strip()
        if not value:
            errors.append(f"{name} is not set")
        return value

    def positive(name: str) -> int:
        value = text(name)
        if value and not (value.isascii() and value.isdecimal() and int(value) > 0):
            errors.append(f"{name} is {value!r}, but must be a whole number from 1")
            return 0
        return int(value or 0)

    def media_types(name: str) -> frozenset[str]:
        listed = text(name)
        types = frozenset(part.strip() for part in listed.split(",") if part.strip())
        if listed and not types:
            errors.append(f"{name} is {listed!r}, but must list at least one media type")
        errors.extend(
            f"{name} has {unknown!r}, which is no media type that can be recognised, as application/pdf can"
            for unknown in sorted(types - RECOGNISED)
        )
        return types

    settings = Settings(
        ledger_table=text("LEDGER_TABLE"),
        ledger_shards=positive("LEDGER_SHARDS"),
        max_receipt_bytes=positive("MAX_RECEIPT_BYTES"),
        accepted_types=media_types("ACCEPTED_TYPES"),
    )
    if errors:
        raise SettingsError("; ".join(errors))
    return settings
