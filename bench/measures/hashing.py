"""How fast the processor fingerprints and checks bytes that are in memory already, beside hashlib."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import boto3

from bench.contestants import Bench
from bench.events import BUCKET
from bench.receipts import png
from bench.results import Aim, Result, Table
from bench.scale import Scale
from bench.simulated_aws import s3
from functions.ledger.entry import ObjectVersion
from functions.processor.objects import CHUNK_BYTES, S3Objects
from functions.processor.receipts import Rules, StoredObject, examine

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Path:
    """A way through some bytes; ``run`` returns the seconds that it took."""

    name: str
    run: Callable[[], float]


def measure(bench: Bench, scale: Scale) -> Result:
    """Take the same bytes through every path in turn, round after round."""
    bench.reset()
    body = png(scale.hashing_megabytes * MEGABYTE)
    pieces = _in_memory(body)
    rules = Rules(accepted_types=frozenset({"image/png"}), max_bytes=len(body))
    paths = [
        Path(name="hashlib alone", run=lambda: _bare(body)),
        Path(name="fingerprint, size and type of bytes in memory", run=lambda: _examined(pieces, rules)),
        Path(
            name="the same from botocore, where S3 has a CRC-32",
            run=lambda: _stored(bench, body, "CRC32", rules),
        ),
        Path(
            name="the same from botocore, where S3 has a SHA-256",
            run=lambda: _stored(bench, body, "SHA256", rules),
        ),
    ]
    seconds: dict[str, list[float]] = {path.name: [] for path in paths}
    for _ in range(scale.rounds):
        for path in paths:
            seconds[path.name].append(path.run())
    reference = statistics.median(seconds[paths[0].name])
    share = {name: reference / statistics.median(taken) for name, taken in seconds.items()}
    return Result(
        name="hashing",
        title="Hashing and checking rate",
        method=(
            f"{scale.hashing_megabytes} MB in memory, through the processor's own code in this process, "
            f"{scale.rounds} rounds in turn; medians of CPU time. hashlib gets the whole body in one call. "
            "The last row is what `bill-e` and upload forms store. The row before it is what SDKs store by "
            "themselves: botocore then computes a CRC-32 of what it reads, which takes as long as half of "
            "the SHA-256, and is all the protection that such an object has on its way here."
        ),
        tables=[
            Table(
                columns=["", "rate", "of hashlib"],
                rows=[
                    [
                        name,
                        f"{scale.hashing_megabytes / statistics.median(taken):.0f} MB/s",
                        f"{share[name]:.2f}",
                    ]
                    for name, taken in seconds.items()
                ],
            )
        ],
        aims=[
            Aim(text=f"{path.name}: rate, of hashlib's", figure=share[path.name], limit=0.9, at_most=False)
            for path in paths[1:]
        ],
    )


def _bare(body: bytes) -> float:
    started = time.process_time()
    hashlib.sha256(body).hexdigest()
    return time.process_time() - started


@dataclass(frozen=True, kw_only=True)
class InMemory:
    """An object whose pieces lie in memory, cut as `S3Object` cuts them."""

    size_bytes: int
    pieces: Sequence[bytes]
    sha256: None = None

    def chunks(self) -> Iterator[bytes]:
        """Hand out the pieces."""
        return iter(self.pieces)


def _in_memory(body: bytes) -> InMemory:
    starts = range(0, len(body), CHUNK_BYTES)
    return InMemory(size_bytes=len(body), pieces=[body[start : start + CHUNK_BYTES] for start in starts])


def _examined(stored: StoredObject, rules: Rules) -> float:
    started = time.process_time()
    examine(stored, rules)
    return time.process_time() - started


def _stored(bench: Bench, body: bytes, checksum: s3.Checksum, rules: Rules) -> float:
    version = ObjectVersion(bucket=BUCKET, key=checksum, version_id="v1")
    held = bench.aws.s3.objects
    held.setdefault((version.key, version.version_id), s3.StoredObject(body=body, checksum=checksum))
    client = boto3.client("s3")
    with S3Objects(client).open(version) as stored:
        return _examined(stored, rules)
