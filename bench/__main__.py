"""``python -m bench``: measures Bill-E and the baselines, prints the results, writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from bench.contestants import loaded_bench
from bench.embedded.field import running_field
from bench.measures import (
    billed_time,
    console,
    cost,
    formats,
    growth,
    hashing,
    idle,
    memory,
    pages,
    requests,
    sealing,
    start,
    throughput,
    verification,
)
from bench.report import aims_text, page_text, section_text
from bench.results import Section, name_of, section
from bench.scale import FULL, QUICK, Scale

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

IN_PROCESS: Sequence[ModuleType] = (
    *(requests, billed_time, hashing, formats, pages, cost, sealing, verification, idle, start, memory),
)
EMBEDDED: Sequence[ModuleType] = (throughput, growth, console)
NOT_QUICK = (throughput, console)
"""These measures are slow, and every count of theirs is also in one of the others. The console has none."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 0 if every count holds, else 1. A missed aim is reported, but isn't a failure."""
    options = _parser().parse_args(arguments)
    scale, sections = QUICK if options.quick else FULL, []
    for made in _sections(scale, options.only):
        sys.stdout.write(f"{section_text(made)}\n\n")
        sys.stdout.flush()
        sections.append(made)
    if any(each.aims for each in sections):
        sys.stdout.write(f"{aims_text(sections)}\n")
    if not options.quick and not options.only:
        PAGE.write_text(page_text(sections, f"{datetime.now(UTC):%Y-%m-%d}"), encoding="utf-8")
        sys.stdout.write(f"\nwritten: {PAGE}\n")
    differing = [count for each in sections for count in each.counts if not count.holds]
    for count in differing:
        sys.stderr.write(f"bench: {count.text}: {count.actual}, expected {count.expected}\n")
    return 1 if differing else 0


def _sections(scale: Scale, only: Sequence[str]) -> Iterator[Section]:
    """Make the measures that are asked for, one after the other."""
    for started, measures in ((loaded_bench, IN_PROCESS), (running_field, EMBEDDED)):
        usual = [each for each in measures if scale is FULL or each not in NOT_QUICK]
        wanted = [each for each in measures if name_of(each) in only] if only else usual
        if wanted:
            with started() as subject:
                yield from (section(each, subject, scale) for each in wanted)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Compare Bill-E with what people would otherwise deploy."
    )
    parser.add_argument(
        "--quick", action="store_true", help="make all counts with few repetitions; write nothing"
    )
    names = [name_of(each) for each in (*IN_PROCESS, *EMBEDDED)]
    only = f"make only this measure (repeatable); write nothing. NAME is one of {', '.join(names)}"
    parser.add_argument("--only", action="append", default=[], metavar="NAME", choices=names, help=only)
    return parser


if __name__ == "__main__":
    sys.exit(main())
