from __future__ import annotations

from io import StringIO
from typing import Any, cast

import pytest
from rich.console import Console

from cli.answers import ApiEntry
from cli.caller.outcomes import UploadTotals
from cli.screen.terminal import Terminal
from local.commands.demo import audited, find_mismatch
from tests.local.stack import deployed_stack, png

TOTALS: dict[str, Any] = {
    "uploads": 4,
    "accepted": 2,
    "duplicate": 1,
    "rejected": 1,
    "pending": 0,
    "already_accepted": 0,
    "failed": 0,
    "not_sent": 0,
}
LEDGER = [
    cast("ApiEntry", {"outcome": outcome}) for outcome in ("ACCEPTED", "ACCEPTED", "DUPLICATE", "REJECTED")
]


def test_one_entry_for_each_upload_adds_up() -> None:
    assert find_mismatch(UploadTotals(**TOTALS), LEDGER) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"failed": 1}, "1 files were not uploaded"),
        ({"pending": 1}, "1 uploads have no outcome"),
        ({"uploads": 5}, "4 entries for 5 uploads"),
        ({"uploads": 3}, "4 entries for 3 uploads"),
        ({"duplicate": 0}, "no upload is duplicate"),
    ],
)
def test_anything_else_does_not_add_up(change: dict[str, int], said: str) -> None:
    mismatch = find_mismatch(UploadTotals(**TOTALS | change), LEDGER)

    assert mismatch is not None
    assert said in mismatch


def test_audit_verifies_the_ledger_and_then_finds_the_entry_that_was_changed() -> None:
    console = Console(file=StringIO())
    with deployed_stack() as stack:
        stack.entry_of(stack.upload("receipt.png", png()))
        signed, clean, changed, found = audited(stack, Terminal(out=console, err=console))

    assert signed.startswith(f"The log, signed by {stack.outputs['log_origin']}: 1 entries, root ")
    assert clean == "  exported and verified: nothing is wrong"
    assert changed == "  after somebody changed a size in the table:"
    assert found.startswith("    altered: entries.jsonl, key 'receipt.png', object ")
