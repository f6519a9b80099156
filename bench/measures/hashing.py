"""Hashing and checking rate.

The processor's own code reads {scale.hashing_megabytes} MB from memory in this process, in each way in turn,
for {scale.rounds} rounds; the figures are medians of CPU time. hashlib gets the whole body in one call. The
last row is for objects that `bill-e` or an upload form stored. The row before it is for objects that SDKs
store by default: botocore then computes a CRC-32 of what it reads, which takes half as long as the SHA-256.
That CRC-32 is the only protection of such an object on its way from S3. The body is a PNG in one chunk, of
which the structure needs another CRC-32; `formats` has the other types.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3

from bench.contestants import Bench, png, upload
from bench.results import Aim, FigureTable, Findings
from bench.scale import Scale
from functions.contract.entry import Upload
from functions.contract.processing import S3_KEY
from functions.processor.examination import ReadableObject, Rules, examine
from functions.processor.objects import CHUNK_BYTES, S3Objects
from local.in_process import s3

HASHLIB = "hashlib alone"


def measure(bench: Bench, scale: Scale) -> Findings:
    """Take the same bytes through every path in turn, round after round."""
    body = png(scale.hashing_megabytes * 1024 * 1024)
    rules = Rules(accepted_types=frozenset({"image/png"}), max_bytes=len(body))
    # Cut as `S3Object` cuts it.
    pieces = [body[start : start + CHUNK_BYTES] for start in range(0, len(body), CHUNK_BYTES)]
    in_memory: Any = SimpleNamespace(
        size_bytes=len(body), is_readable=True, sha256=None, chunks=lambda: iter(pieces)
    )
    crc32, sha256 = upload("CRC-32"), upload("SHA-256")
    bench.reset()
    bench.store({crc32: s3.StoredObject(piece=body), sha256: s3.StoredObject(piece=body, checksum="SHA256")})
    objects = S3Objects(boto3.client("s3"), account_id="123456789012", readable_encryption={S3_KEY})

    def examined(stored: ReadableObject) -> float:
        return _seconds(lambda: examine(stored, rules))

    def opened(upload: Upload) -> float:
        with objects.open(upload.version) as stored:
            return examined(stored)

    paths: dict[str, Callable[[], float]] = {
        HASHLIB: lambda: _seconds(lambda: hashlib.sha256(body).hexdigest()),
        "fingerprint and structure of a PNG in memory": lambda: examined(in_memory),
        "the same from botocore, where S3 has a CRC-32": lambda: opened(crc32),
        "the same from botocore, where S3 has a SHA-256": lambda: opened(sha256),
    }
    runs = [{name: path() for name, path in paths.items()} for _ in range(scale.rounds)]
    rates = {name: scale.hashing_megabytes / statistics.median(run[name] for run in runs) for name in paths}
    shares = {name: rate / rates[HASHLIB] for name, rate in rates.items()}
    yield FigureTable(
        {
            name: {"rate": f"{rates[name]:.0f} MB/s", "relative to hashlib": f"{shares[name]:.2f}"}
            for name in rates
        }
    )
    for name, share in shares.items():
        if name != HASHLIB:
            yield Aim(f"{name}: rate, relative to hashlib", share, 0.5, at_most=False)


def _seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started
