"""Reading rate by type.

Files of {scale.format_megabytes} MB are examined in memory, which takes their fingerprint and reads their
structure to its end. Then hashlib alone gets the same bytes in one call. Both are repeated for {scale.rounds}
rounds; the figures are medians of CPU time, and of its ratio in each round. Peak memory is what Python
allocates to examine the file, of which a piece of 1 MB arrives at a time.

Files are laid out as common programs write them: a PNG in chunks of 8 KB, a GIF in blocks of 255 bytes, a
TIFF in strips of 8 KB, a PDF of scans of 300 KB. Outside of a PDF's streams, a regular expression looks for
the words that matter. XML is parsed, even inside a signed invoice. Two rows have nothing but small objects
and small elements, to show what those cost. Ordinary receipts have a few hundred KB of them at most, which
take a few milliseconds.
"""

from __future__ import annotations

import hashlib
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

from bench.contestants import Bench
from bench.files import FILES
from bench.results import Aim, Count, FigureTable, Findings
from bench.scale import Scale
from functions.contract.processing import ACCEPTABLE_TYPES
from functions.processor.examination import Examination, Rules, examine
from functions.processor.objects import CHUNK_BYTES

MEGABYTE = 1024 * 1024
LEAST_SHARE = 0.5
MOST_MEMORY_MEGABYTES = 8


def measure(_bench: Bench, scale: Scale) -> Findings:
    """Examine one file after the other, and keep only one of them in memory."""
    rows, shares = {}, {}
    most_memory, not_plain = 0.0, 0
    for name, make in FILES.items():
        body = make(scale.format_megabytes * MEGABYTE)
        pieces = [*_pieces(body)]
        paths = partial(examined, pieces, len(body)), partial(hashed, body)
        runs = [(_seconds(paths[0]), _seconds(paths[1])) for _ in range(scale.rounds)]
        shares[name] = statistics.median(alone / both for both, alone in runs)
        seconds = statistics.median(both for both, _ in runs)
        peak, examination = _peak_megabytes(body)
        most_memory = max(most_memory, peak)
        not_plain += examination.reason is not None or bool(examination.findings)
        rows[name] = {
            "rate": f"{len(body) / MEGABYTE / seconds:.0f} MB/s",
            "relative to hashlib": f"{shares[name]:.2f}",
            "peak memory": f"{peak:.1f} MB",
        }
    yield FigureTable(rows)
    for name, share in shares.items():
        yield Aim(f"{name}: rate, relative to hashlib", share, LEAST_SHARE, at_most=False)
    yield Count("files that aren't accepted, or have a finding", str(not_plain), "0")
    is_flat = "yes" if most_memory <= MOST_MEMORY_MEGABYTES else "no"
    yield Count(f"peak memory within {MOST_MEMORY_MEGABYTES} MB for each type", is_flat, "yes")


def examined(pieces: Iterable[bytes], size: int) -> Examination:
    """Examine a file that arrives in pieces."""
    stored: Any = SimpleNamespace(size_bytes=size, is_readable=True, sha256=None, chunks=lambda: iter(pieces))
    return examine(stored, Rules(accepted_types=frozenset(ACCEPTABLE_TYPES), max_bytes=size))


def hashed(body: bytes) -> str:
    """Take the fingerprint alone."""
    return hashlib.sha256(body).hexdigest()


def _seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES))


def _peak_megabytes(body: bytes) -> tuple[float, Examination]:
    tracemalloc.start()
    try:
        examination = examined(_pieces(body), len(body))
        return tracemalloc.get_traced_memory()[1] / MEGABYTE, examination
    finally:
        tracemalloc.stop()
