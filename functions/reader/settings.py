"""The reader's settings, from its environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.environment import EnvironmentVariables

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the reader is told from outside."""

    ledger_table: str
    ledger_shards: int


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings, or raise `EnvironmentVariablesError` about all that is wrong."""
    variables = EnvironmentVariables(environment)
    settings = Settings(
        ledger_table=variables.text("LEDGER_TABLE"), ledger_shards=variables.count("LEDGER_SHARDS")
    )
    variables.check()
    return settings
