"""``python -m bench``: measures Bill-E beside the baselines, prints it, and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from bench.contestants import loaded_bench
from bench.embedded.field import running_field
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
from bench.report import terminal_text, write_page
from bench.results import Section, section
from bench.scale import FULL, QUICK, Scale

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

IN_PROCESS: Mapping[str, ModuleType] = {
    "requests": requests,
    "billed-time": billed_time,
    "hashing": hashing,
    "pages": pages,
    "cost": cost,
    "idle": idle,
    "start": start,
    "memory": memory,
    "program": program,
}
EMBEDDED: Mapping[str, ModuleType] = {"throughput": throughput, "growth": growth}
NOT_QUICK = ("program", "throughput")
"""They are slow, and have no count that the others don't have."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 0 if every count holds, else 1. A missed aim is reported, and is no failure."""
    options = _parser().parse_args(arguments)
    scale, sections = QUICK if options.quick else FULL, []
    for made in _sections(scale, options.only):
        sys.stdout.write(f"{terminal_text(made)}\n\n")
        sys.stdout.flush()
        sections.append(made)
    if not options.quick and not options.only:
        write_page(sections, PAGE, f"{datetime.now(UTC):%Y-%m-%d}")
        sys.stdout.write(f"written: {PAGE}\n")
    differing = [count for each in sections for count in each.findings.counts if not count.holds]
    for count in differing:
        sys.stderr.write(f"bench: {count.text}: {count.actual}, expected {count.expected}\n")
    return 1 if differing else 0


def _sections(scale: Scale, only: Sequence[str]) -> Iterator[Section]:
    """Make the measures that are asked for, one after the other."""
    wanted = only or [name for name in _names() if not (scale is QUICK and name in NOT_QUICK)]
    with loaded_bench() as bench:
        for name, measure in IN_PROCESS.items():
            if name in wanted:
                yield section(name, measure, scale, measure.measure(bench, scale))
    if any(name in EMBEDDED for name in wanted):
        with running_field(with_baselines="throughput" in wanted) as field:
            for name, measure in EMBEDDED.items():
                if name in wanted:
                    yield section(name, measure, scale, measure.measure(field, scale))


def _names() -> list[str]:
    return [*IN_PROCESS, *EMBEDDED]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measures Bill-E beside what people would otherwise deploy."
    )
    parser.add_argument("--quick", action="store_true", help="all counts, few repetitions; writes nothing")
    only = f"one measure (may be repeated); writes nothing. NAME is one of {', '.join(_names())}"
    parser.add_argument("--only", action="append", default=[], metavar="NAME", choices=_names(), help=only)
    return parser


if __name__ == "__main__":
    sys.exit(main())
