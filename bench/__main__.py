"""``python -m bench``: measures Bill-E beside the baselines, prints it, and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from bench.contestants import Bench, loaded_bench
from bench.embedded import Field, running_field
from bench.measures import (
    billed_time,
    cost,
    growth,
    hashing,
    idle,
    memory,
    pages,
    program,
    requests,
    start,
    throughput,
)
from bench.packages import REPOSITORY
from bench.report import terminal_text, write_page
from bench.results import Result
from bench.scale import FULL, QUICK, Scale

IN_PROCESS: Mapping[str, Callable[[Bench, Scale], Result]] = {
    "requests": lambda bench, _: requests.measure(bench),
    "billed-time": billed_time.measure,
    "hashing": hashing.measure,
    "pages": pages.measure,
    "cost": cost.measure,
    "idle": lambda _bench, _scale: idle.measure(),
    "start": start.measure,
    "memory": lambda _, scale: memory.measure(scale),
    "program": lambda _, scale: program.measure(scale),
}
EMBEDDED: Mapping[str, Callable[[Field, Scale], Result]] = {
    "throughput": throughput.measure,
    "growth": growth.measure,
}
NAMES = (*IN_PROCESS, *EMBEDDED)
NOT_QUICK = ("program", "throughput")
"""Slow, and with no count that the others don't have."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 0 where every count holds, else 1. A missed aim is reported, and is no failure."""
    options = _parser().parse_args(arguments)
    scale = QUICK if options.quick else FULL
    results = []
    for result in _measured(scale, options.only):
        _say(terminal_text(result))
        results.append(result)
    if not options.quick and not options.only:
        page = write_page(results, REPOSITORY / "docs", f"{datetime.now(UTC):%Y-%m-%d}")
        _say(f"written: {page.relative_to(REPOSITORY)}")
    differing = [count for result in results for count in result.counts if not count.holds]
    for count in differing:
        sys.stderr.write(f"bench: {count.text}: {count.actual}, expected {count.expected}\n")
    return 1 if differing else 0


def _measured(scale: Scale, only: Sequence[str]) -> Iterator[Result]:
    """Make the measures that are asked for, one after the other."""
    wanted = [name for name in NAMES if _is_wanted(name, scale, only)]
    with loaded_bench() as bench:
        for name in wanted:
            if name in IN_PROCESS:
                yield IN_PROCESS[name](bench, scale)
    embedded = [name for name in wanted if name in EMBEDDED]
    if embedded:
        with running_field(with_baselines="throughput" in embedded) as field:
            for name in embedded:
                yield EMBEDDED[name](field, scale)


def _is_wanted(name: str, scale: Scale, only: Sequence[str]) -> bool:
    return name in only if only else not (scale.quick and name in NOT_QUICK)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Bill-E beside what others deploy.")
    parser.add_argument("--quick", action="store_true", help="all counts, few repetitions, nothing written")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        choices=NAMES,
        help="one measure (may be repeated); nothing is written",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
