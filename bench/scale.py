"""How much is measured, and how slow AWS is meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

CALL_SECONDS = 0.030
"""How long every call to S3 or DynamoDB takes, wherever time counts."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How often and how large. Quick: every count, few repetitions."""

    quick: bool
    rounds: int
    cost_rounds: int
    start_runs: int
    memory_megabytes: tuple[int, ...]
    hashing_megabytes: int
    ledger_sizes: tuple[int, ...]
    throughput_rounds: int
    throughput_uploads: int
    growth_uploaders: tuple[int, ...]
    growth_uploads: tuple[int, ...]
    deploy_runs: int


FULL = Scale(
    quick=False,
    rounds=15,
    cost_rounds=7,
    start_runs=21,
    memory_megabytes=(1, 10, 50, 100, 250, 500),
    hashing_megabytes=256,
    ledger_sizes=(1_000, 10_000, 100_000),
    throughput_rounds=2,
    throughput_uploads=500,
    growth_uploaders=(1, 2, 4, 8),
    growth_uploads=(100, 500, 1_000, 5_000),
    deploy_runs=3,
)
QUICK = Scale(
    quick=True,
    rounds=2,
    cost_rounds=2,
    start_runs=3,
    memory_megabytes=(1, 100),
    hashing_megabytes=64,
    ledger_sizes=(1_000, 10_000),
    throughput_rounds=1,
    throughput_uploads=50,
    growth_uploaders=(1, 8),
    growth_uploads=(20, 50),
    deploy_runs=1,
)
