"""How much is measured, and how slow the calls to AWS are."""

from __future__ import annotations

from dataclasses import dataclass

CALL_SECONDS = 0.030
"""How long every call to S3 or DynamoDB takes, wherever time counts."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How often and how large: as in the whole bench, unless told otherwise."""

    rounds: int = 15
    cost_rounds: int = 7
    start_runs: int = 21
    memory_megabytes: tuple[int, ...] = (1, 10, 50, 100, 250, 500)
    hashing_megabytes: int = 256
    format_megabytes: int = 64
    ledger_sizes: tuple[int, ...] = (1_000, 10_000, 100_000)
    sealing_minutes: int = 10
    sealing_backlog: int = 60_000
    verified_entries: tuple[int, int] = (100_000, 1_000_000)
    verify_rounds: int = 5
    throughput_rounds: int = 2
    throughput_uploads: int = 500
    growth_uploaders: tuple[int, ...] = (1, 2, 4, 8)
    growth_uploads: tuple[int, ...] = (100, 500, 1_000, 5_000)
    console_entries: int = 100_000
    console_rounds: int = 7


FULL = Scale()
QUICK = Scale(
    rounds=2,
    cost_rounds=2,
    start_runs=3,
    memory_megabytes=(1, 100),
    hashing_megabytes=64,
    format_megabytes=8,
    ledger_sizes=(1_000, 10_000),
    sealing_minutes=3,
    sealing_backlog=6_000,
    verified_entries=(1_000, 51_000),
    verify_rounds=1,
    throughput_rounds=1,
    throughput_uploads=50,
    growth_uploaders=(1, 8),
    growth_uploads=(20, 50),
)
"""All counts, with few repetitions."""
