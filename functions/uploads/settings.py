"""The settings of the uploads function, from its environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from functions.environment import EnvironmentVariables

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_EXPIRY_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the uploads function is told from outside. ``upload_prefix`` may be empty."""

    ledger_table: str
    uploads_bucket: str
    upload_prefix: str
    max_receipt_bytes: int
    form_lifetime: timedelta


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings, or raise `EnvironmentVariablesError` about all that is wrong."""
    variables = EnvironmentVariables(environment)
    settings = Settings(
        ledger_table=variables.text("LEDGER_TABLE"),
        uploads_bucket=variables.text("UPLOADS_BUCKET"),
        upload_prefix=environment.get("UPLOAD_PREFIX", ""),
        max_receipt_bytes=variables.count("MAX_RECEIPT_BYTES"),
        form_lifetime=timedelta(seconds=variables.count("UPLOAD_EXPIRY_SECONDS", DEFAULT_EXPIRY_SECONDS)),
    )
    variables.check()
    return settings
