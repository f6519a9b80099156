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


PRICES = Prices(**tomllib.loads(Path(__file__).with_suffix(".toml").read_text()))
