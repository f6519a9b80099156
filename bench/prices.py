"""The price table, `prices.toml`: the one place where a price is written."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MILLION = 1_000_000
GIGABYTE = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Prices:
    """US dollars: for a million requests or units, a GB-second of Lambda, a GB of logs, a month of a thing.

    `free_per_month` is how many requests and things an account has for nothing.
    """

    date: str
    region: str
    per_million: Mapping[str, float]
    gigabyte_second: float
    log_gigabyte: float
    per_month: Mapping[str, float]
    free_per_month: Mapping[str, int]


def read_prices() -> Prices:
    """Read the table beside this module."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return Prices(
        date=table["date"],
        region=table["region"],
        per_million=table["per_million"],
        gigabyte_second=table["lambda"]["gigabyte_second"],
        log_gigabyte=table["logs"]["gigabyte"],
        per_month=table["per_month"],
        free_per_month=table["free_per_month"],
    )
