"""Reads the price table, `prices.toml`, which has every price."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MILLION = 1_000_000
GIGABYTE = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Prices:
    """US dollars for a million requests, a GB-second of Lambda, a GB of logs, and a thing for a month."""

    date: str
    region: str
    per_million: Mapping[str, float]
    gigabyte_second: float
    log_gigabyte: float
    per_month: Mapping[str, float]


PRICES = Prices(**tomllib.loads(Path(__file__).with_suffix(".toml").read_text()))
