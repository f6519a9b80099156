"""The fingerprints of entries against the bytes in the bucket, which are read anew.

`checksums` compares with what S3 noted when the bytes arrived, and only if they came with a SHA-256. This is
slower, but it includes every object version, and shows that S3 still returns its bytes, and which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError

from cli.errors import explained
from cli.operator.bucket_comparison import BucketComparison, RecordedVersion
from cli.operator.findings import State
from cli.operator.pace import Counting, concurrently
from cli.operator.read_state import ReadState
from cli.operator.resources import StackResources

READERS = 8
"""How many object versions are read at the same time."""

CHUNK_BYTES = 256 * 1024
ATTEMPTS = 3
"""How many times an object version is read if its bytes don't arrive, or don't match S3's checksum."""

GONE = {"404", "NoSuchKey", "NoSuchVersion"}

UNREADABLE = ("InvalidObjectState", "InvalidRequest", "KMS.")
"""How S3's codes begin for an object in an archive, or encrypted with a key that isn't there."""

Problem = tuple[State, str]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Which object versions are read: a share of all, up to 1, and at most `most` of them.

    The choice is random, but the same for the same seed, and for a share it stays the same when there are
    more object versions.
    """

    share: float = 1.0
    most: int | None = None


@dataclass(frozen=True, kw_only=True)
class ReadTotals:
    """How many object versions and bytes were read, and how many of the sample earlier runs had read."""

    read: int
    bytes: int
    read_before: int
    seed: str


def read_objects(
    comparison: BucketComparison,
    resources: StackResources,
    sample: Sample,
    state: ReadState,
    announce: Callable[[int, int], None],
    counting: Counting,
) -> ReadTotals:
    """Read a sample, which needs s3:GetObjectVersion, and to use the key if there is one.

    `announce` is told how many requests and bytes it will take. The order is random, so that a run which is
    broken off has read a sample as well.
    """
    comparison.choose_to_read(partial(_rank, state.seed), sample.share, sample.most)
    read_before = comparison.leave_out(state.holds)
    to_read, size_bytes = comparison.count_to_read()
    announce(to_read, size_bytes)
    with counting("bytes read", size_bytes) as advance:
        read = partial(_compare, resources, advance)
        for about, problem in concurrently(read, comparison.to_read(), READERS):
            if problem is None:
                state.keep(about)
            else:
                comparison.find(problem[0], about, problem[1])
    return ReadTotals(read=to_read, bytes=size_bytes, read_before=read_before, seed=state.seed)


def _rank(seed: str, key: str, version_id: str) -> float:
    """Draw a number from 0 to 1 for an object version."""
    drawn = hashlib.sha256(f"{seed}\0{key}\0{version_id}".encode()).digest()
    return int.from_bytes(drawn[:6], "big") / 2**48


def _compare(
    resources: StackResources, advance: Callable[[int], None], about: RecordedVersion
) -> tuple[RecordedVersion, Problem | None]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            sha256 = _read(resources, advance, about)
        except FlexibleChecksumError:
            if attempt == ATTEMPTS:
                return about, (State.FILE_DIFFERS, "its bytes don't match the checksum that S3 stored")
        except ClientError as error:
            with explained(
                "reading an object version (s3:GetObjectVersion, and kms:Decrypt with a customer's key)"
            ):
                return about, _problem(error)
        except BotoCoreError as error:
            if attempt == ATTEMPTS:
                with explained("reading an object version"):
                    raise error from None
        else:
            if sha256 == about.fingerprint:
                return about, None
            return about, (State.FILE_DIFFERS, f"its bytes have the SHA-256 {sha256}")
    raise AssertionError


def _read(resources: StackResources, advance: Callable[[int], None], about: RecordedVersion) -> str:
    """Return the SHA-256 of the bytes in hex. What is read in vain isn't counted."""
    digest, size_bytes, whole = hashlib.sha256(), 0, False
    answer = resources.s3.get_object(Bucket=resources.bucket, Key=about.key, VersionId=about.version_id)
    try:
        with closing(answer["Body"]) as body:
            for chunk in body.iter_chunks(CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
                advance(len(chunk))
        whole = True
    finally:
        if not whole:
            advance(-size_bytes)
    return digest.hexdigest()


def _problem(error: ClientError) -> Problem:
    """Return what is wrong with the one object version; raise the error if it may be about any of them."""
    said = error.response["Error"]
    code, message = said["Code"], said.get("Message", "")
    if code in GONE:
        return State.UNKNOWN, "deleted since the bucket was listed"
    if code.startswith(UNREADABLE) or (code == "AccessDenied" and "kms:" in message):
        return State.UNREADABLE, f"S3 doesn't return it: {message} ({code})"
    raise error
