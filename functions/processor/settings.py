"""The processor's settings, from its environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.environment import EnvironmentVariables
from functions.processor.media_types import RECOGNISED

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the processor is told from outside; sizes in bytes. Metrics are those of a service in a stack."""

    service: str
    stack: str
    ledger_table: str
    ledger_shards: int
    max_receipt_bytes: int
    accepted_types: frozenset[str]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings, or raise `EnvironmentVariablesError` about all that is wrong."""
    variables = EnvironmentVariables(environment)
    settings = Settings(
        service=variables.text("SERVICE_NAME"),
        stack=variables.text("STACK_NAME"),
        ledger_table=variables.text("LEDGER_TABLE"),
        ledger_shards=variables.count("LEDGER_SHARDS"),
        max_receipt_bytes=variables.count("MAX_RECEIPT_BYTES"),
        accepted_types=_media_types(variables, "ACCEPTED_TYPES"),
    )
    variables.check()
    return settings


def _media_types(variables: EnvironmentVariables, name: str) -> frozenset[str]:
    listed = variables.text(name)
    types = frozenset(part.strip() for part in listed.split(",") if part.strip())
    if listed and not types:
        variables.refuse(f"{name} is {listed!r}, but must list at least one media type")
    for unknown in sorted(types - RECOGNISED):
        variables.refuse(
            f"{name} has {unknown!r}, which is no media type that can be recognised, as application/pdf can"
        )
    return types
