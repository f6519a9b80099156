"""Requests and units per receipt.

A message is about one upload of {RECEIPT_KB} KB, or about two. Calls are counted at the point where botocore
would send them, and units follow DynamoDB's rules for the items written. *Entries* is how many a contestant
has in its table afterwards: if there are fewer than uploads, an upload is lost. Powertools leaves the choice
of a key to its users, so *idempotency* uses the same key as *naive*.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.contestants import BILL_E, CONTESTANTS, RECEIPT_KB, Bench, Contestant, batch, png, upload
from bench.results import Count, FigureTable, Findings, counted
from bench.scale import Scale
from functions.contract.entry import Upload
from local.in_process.aws import Usage
from local.in_process.s3 import StoredObject

RECEIPT, COPY, OTHER, NOTE = (
    upload(f"{name}.png") for name in ("coffee shop", "coffee shop (copy)", "taxi", "note")
)
OBJECTS = {
    **dict.fromkeys((RECEIPT, COPY), StoredObject(piece=png(RECEIPT_KB * 1000))),
    OTHER: StoredObject(piece=png(RECEIPT_KB * 1000, seed=1)),
    NOTE: StoredObject(piece=b"Total: 12.00 EUR"),
}
CASES = {
    "new": ([], [RECEIPT], "1 GetObject + 1 PutItem, 2 write units"),
    "duplicate": ([RECEIPT], [COPY], "1 GetObject + 1 HeadObject + 2 PutItem, 3 write units"),
    "rejected": ([], [NOTE], "1 GetObject + 1 PutItem, 2 write units"),
    "redelivered": ([RECEIPT], [RECEIPT], "1 GetObject + 1 PutItem, 1 write unit"),
    "two in a message": ([], [RECEIPT, OTHER], "2 GetObject + 2 PutItem, 4 write units"),
}
"""The uploads of an earlier message, those of the message delivered now, and Bill-E's calls for it.

A refused write costs a unit; a write to the table and its index costs two.
"""

TWO_UPLOADS = ("duplicate", "two in a message")


def measure(bench: Bench, _scale: Scale) -> Findings:
    """Count each contestant's calls, units and entries in each case."""
    rows = {}
    for contestant in CONTESTANTS:
        seen = {name: _asked(bench, contestant, before, now) for name, (before, now, _) in CASES.items()}
        rows[contestant.name] = {
            **{name: asked for name, (asked, _) in seen.items()},
            **{f"entries, {name}": f"{seen[name][1]} of 2" for name in TWO_UPLOADS},
        }
    yield FigureTable(rows)
    for name, (_, _, expected) in CASES.items():
        yield Count(f"Bill-E, {name}", rows[BILL_E.name][name], expected)


def _asked(
    bench: Bench, contestant: Contestant, before: Sequence[Upload], now: Sequence[Upload]
) -> tuple[str, int]:
    """Deliver both messages; return the calls for the second one, and how many entries there are then."""
    bench.reset()
    bench.store(OBJECTS)
    if before:
        bench.run(contestant, batch(before))
    with bench.aws.metered() as usage:
        bench.run(contestant, batch(now))
    return _sentence(usage), len(bench.items(contestant))


def _sentence(usage: Usage) -> str:
    in_order = sorted(usage.calls.items(), key=lambda call: (call[0] != "GetObject", call[0]))
    calls = " + ".join(f"{times} {operation}" for operation, times in in_order)
    read = f", {counted(usage.read_units, 'read unit')}" if usage.read_units else ""
    return f"{calls}, {counted(usage.write_units, 'write unit')}{read}"
