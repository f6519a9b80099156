"""The log in S3: tiles, bundles and checkpoints, and batches that wait for their publication."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from functions.contract.sealing import CHECKPOINT, CHECKPOINT_FOLDER, STAGING_FOLDER
from functions.sealing.note import Checkpoint, parse_note
from functions.sealing.tiles import bundle_path, decode_bundle, encode_bundle, tile_path
from functions.sealing.tree import TILE_WIDTH, Edge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import PutObjectRequestTypeDef

    from functions.sealer.growth import LogFile
    from functions.sealer.head import Head

THREADS: Final = 16
"""How many requests to S3 run at once. The client needs as many connections."""

AT_ONCE: Final = 64
"""How many bundles are in memory at the same time."""

_REFUSED: Final = frozenset({"ConditionalRequestConflict", "PreconditionFailed"})
"""What S3 answers if a condition isn't met ("How to prevent object overwrites")."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """The newest checkpoint in the bucket, and the ETag of the object, which a write must name."""

    checkpoint: Checkpoint
    etag: str


@dataclass(frozen=True, kw_only=True)
class Retention:
    """For how long what never changes is locked, and how."""

    mode: str
    days: int


class LogIntegrityError(Exception):
    """Somebody has changed the log or its lock. Nothing more is sealed until that is mended."""


class LogBucket:
    """The bucket of one log. Raises botocore's errors, and LogIntegrityError for what can't be read."""

    def __init__(
        self, client: S3Client, bucket: str, retention: Retention, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._retention = retention
        self._now = now
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="log-bucket")

    def published(self) -> Published | None:
        """Read the newest checkpoint."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=CHECKPOINT)
        except self._client.exceptions.NoSuchKey:
            return None
        try:
            checkpoint = Checkpoint.parse(parse_note(answer["Body"].read().decode()).text)
        except ValueError as error:
            raise LogIntegrityError(f"{CHECKPOINT} isn't one") from error
        return Published(checkpoint=checkpoint, etag=answer["ETag"])

    def publish(self, note: str, instead_of: Published | None) -> bool:
        """Write the newest checkpoint, unless it isn't the one that was read any more."""
        condition = {"IfMatch": instead_of.etag} if instead_of else {"IfNoneMatch": "*"}
        return self._put(CHECKPOINT, note.encode(), **condition)

    def keep(self, size: int, note: str) -> None:
        """Write a checkpoint into the history, unless it is there: a signature is always the same."""
        self._put(f"{CHECKPOINT_FOLDER}{size}", note.encode(), IfNoneMatch="*", **self._locked())

    def edge(self, size: int) -> Edge:
        """Read the right edge of a tree that was published."""
        return Edge(size, lambda level, index, width: self._get(tile_path(level, index, width)))

    def last_leaves(self, size: int) -> list[bytes]:
        """Read the leaves of the last bundle of a tree that was published, unless that is full."""
        return self.bundle(size // TILE_WIDTH, size) if size % TILE_WIDTH else []

    def bundles(self, first: int, size: int) -> Iterator[tuple[int, list[bytes]]]:
        """Read the bundles of a tree of this size from one on, each with its number."""
        numbers = range(first, -(-size // TILE_WIDTH))
        for at in range(0, len(numbers), AT_ONCE):
            some = numbers[at : at + AT_ONCE]
            yield from zip(some, self._threads.map(lambda each: self.bundle(each, size), some), strict=True)

    def bundle(self, number: int, size: int) -> list[bytes]:
        """Read a bundle as it is in a tree of this size."""
        return self._leaves(bundle_path(number, min(TILE_WIDTH, size - number * TILE_WIDTH)))

    def write(self, files: Iterable[LogFile]) -> None:
        """Write tiles and bundles. Their content is always the same, so it may be written again."""

        def put(file: LogFile) -> None:
            self._put(file.path, file.data, **(self._locked() if file.is_full else {}))

        for _ in self._threads.map(put, files):
            pass

    def stage(self, head: Head, leaves: Sequence[bytes]) -> None:
        """Write the new leaves of a tree that is about to be committed."""
        self._put(_staging(head), encode_bundle(leaves))

    def staged(self, head: Head) -> list[bytes] | None:
        """Read the new leaves of a committed tree, if they are still there."""
        try:
            return self._leaves(_staging(head))
        except self._client.exceptions.NoSuchKey:
            return None

    def _leaves(self, key: str) -> list[bytes]:
        try:
            return decode_bundle(self._get(key))
        except ValueError as error:
            raise LogIntegrityError(f"{key} isn't a bundle") from error

    def _get(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def _put(self, key: str, data: bytes, **more: object) -> bool:
        request: PutObjectRequestTypeDef = {"Bucket": self._bucket, "Key": key, "Body": data, **more}  # type: ignore[typeddict-item]
        try:
            self._client.put_object(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _REFUSED:
                raise
            return False
        return True

    def _locked(self) -> dict[str, object]:
        if not self._retention.days:
            return {}
        until = self._now().astimezone(UTC) + timedelta(days=self._retention.days)
        return {"ObjectLockMode": self._retention.mode.upper(), "ObjectLockRetainUntilDate": until}


def _staging(head: Head) -> str:
    return f"{STAGING_FOLDER}{head.size}-{head.root}"
