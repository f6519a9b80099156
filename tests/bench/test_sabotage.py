"""The bench notices when Bill-E gets worse: each change here fails the count that it affects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

READ_BEFORE_WRITE = """
from functions.ledger.lookup import LedgerLookup
from functions.ledger.store import LedgerStore
insert = LedgerStore._insert
def read_first(self, entry):
    LedgerLookup(self._client, self._table).receipt("0" * 64)
    return insert(self, entry)
LedgerStore._insert = read_first
"""
ONE_BY_ONE = """
from functions.processor import invocation
invocation.MAX_WORKERS = 1
"""
TALKATIVE = """
from functions.processor import processor
tell = processor.log_entry
def twice(*args, **kwargs):
    tell(*args, **kwargs)
    tell(*args, **kwargs)
processor.log_entry = twice
"""
WHOLE_LEDGER = """
from functions.reader import query
query.DEFAULT_LIMIT = query.MAX_LIMIT
from functions.ledger import listing
listing.isqrt = lambda number: 1_000
"""
ONE_TILE_TOO_MANY = """
from functions.sealer import publication
grow = publication.grow
def with_another(*args):
    files = grow(*args)
    return [*files, files[-1]]
from functions.sealer import sealer
sealer.grow = with_another
"""
SIGNED_TWICE = """
from functions.sealer import publication
sign = publication.sign
def twice(*args):
    sign(*args)
    return sign(*args)
publication.sign = twice
"""
ROWS_UNREAD = """
from cli.auditor import cells
cells.CellReader.records = lambda self, rows: iter(())
"""


@pytest.mark.parametrize(
    ("sabotage", "measure", "complaint"),
    [
        pytest.param(READ_BEFORE_WRITE, "requests", "Bill-E, new", id="a read before each write"),
        pytest.param(READ_BEFORE_WRITE, "cost", "1 read unit", id="the same, in what it costs"),
        pytest.param(ONE_BY_ONE, "billed-time", "at the same time", id="messages one after the other"),
        pytest.param(TALKATIVE, "cost", "2 log lines", id="two log lines for a receipt"),
        pytest.param(ONE_TILE_TOO_MANY, "sealing", "53 put_object", id="a tile written twice"),
        pytest.param(SIGNED_TWICE, "sealing", "2 sign", id="a checkpoint signed twice"),
        pytest.param(ROWS_UNREAD, "verification", "a row of each file was changed", id="rows not verified"),
        pytest.param(WHOLE_LEDGER, "pages", "a page of 50 at 1,000 entries", id="pages that read more"),
    ],
)
def test_bench_fails_for(sabotage: str, measure: str, complaint: str) -> None:
    done = bench(sabotage, measure)

    assert done.returncode == 1, done.stderr
    assert complaint in done.stderr


def test_bench_holds_as_the_product_is() -> None:
    assert bench("import os", "requests").returncode == 0


def bench(preparation: str, measure: str) -> subprocess.CompletedProcess[str]:
    """Run a measure in a process of its own, with something done to the product first."""
    run = f"from bench.__main__ import main; raise SystemExit(main(['--quick', '--only', '{measure}']))"
    return subprocess.run(
        [sys.executable, "-c", f"{preparation}\n{run}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=120,
    )
