"""Reads the log from its bucket: its files as they are, and proofs that an entry was sealed."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from functions.contract.entry import format_time
from functions.contract.sealing import CHECKPOINT, MAX_DELAY
from functions.sealing.note import Checkpoint, parse_note
from functions.sealing.proof import Proof
from functions.sealing.tiles import LOG_PATH, bundle_path, decode_bundle, tile_path
from functions.sealing.tree import HASH_BYTES, TILE_WIDTH, Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from functions.contract.entry import Entry

MOST_BATCHES: Final = 20
"""How many batches a search goes through. There is one a minute, and an entry is usually in the first."""

_GREATEST: Final = "\x7f"
"""Sorts after every time and every object id."""


class NotYetSealedError(Exception):
    """The sealer hasn't come to an entry yet."""


class SealedLateError(Exception):
    """An entry isn't where it would have been sealed in time. It may be further on in the log, or missing."""


class SealedLog:
    """The log in one bucket. Raises botocore's errors. ``client`` is asked for when something is read."""

    def __init__(self, client: Callable[[], S3Client], bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def file(self, path: str) -> bytes | None:
        """Return a file of the log, or ``None`` if there is no such path or nothing there."""
        if LOG_PATH.fullmatch(path) is None:
            return None
        try:
            return self._client().get_object(Bucket=self._bucket, Key=path)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "KeyTooLongError"}:
                return None
            raise

    def proof(self, entry: Entry) -> Proof:
        """Return the proof that an entry is in the log.

        Leaves are in order of the time when they were sealed, then of the time of recording and the object
        id. So an entry that was sealed in time is found with few reads, and no index. Raise NotYetSealedError
        or SealedLateError for any other.
        """
        note = (self.file(CHECKPOINT) or b"").decode()
        if not note:
            raise NotYetSealedError
        checkpoint = Checkpoint.parse(parse_note(note).text)
        leaves = _Leaves(checkpoint.size, self._read)
        index = _find(leaves, entry)
        path = Tree(checkpoint.size, self._read_tile).inclusion_proof(index)
        return Proof(leaf=leaves.data(index), index=index, path=tuple(path), checkpoint=note)

    def _read(self, path: str) -> bytes:
        return self._client().get_object(Bucket=self._bucket, Key=path)["Body"].read()

    def _read_tile(self, level: int, index: int, width: int) -> bytes:
        return self._read(tile_path(level, index, width))[: width * HASH_BYTES]


Place = tuple[str, str, str]
"""When a leaf was sealed, when its entry was recorded, and its object id."""


@dataclass(frozen=True, kw_only=True)
class _Bundle:
    data: list[bytes]
    places: list[Place]


class _Leaves:
    """The leaves of a tree of some size, as a sequence of places. A bundle is read once."""

    def __init__(self, size: int, read: Callable[[str], bytes]) -> None:
        self._size = size
        self._bundle = cache(lambda number: self._read_bundle(read, number))

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> Place:
        place: Place = self._bundle(index // TILE_WIDTH).places[index % TILE_WIDTH]
        return place

    def data(self, index: int) -> bytes:
        """Return a leaf as it is in the log."""
        data: bytes = self._bundle(index // TILE_WIDTH).data[index % TILE_WIDTH]
        return data

    def _read_bundle(self, read: Callable[[str], bytes], number: int) -> _Bundle:
        width = min(TILE_WIDTH, self._size - number * TILE_WIDTH)
        data = decode_bundle(read(bundle_path(number, width)))[:width]
        members = map(json.loads, data)
        places = [(each["sealed_at"], each["recorded_at"], each["object_id"]) for each in members]
        return _Bundle(data=data, places=places)


def _find(leaves: _Leaves, entry: Entry) -> int:
    """Return the index of an entry's leaf."""
    recorded_at, object_id = format_time(entry.recorded_at), entry.upload.version.object_id
    start = bisect_left(leaves, (recorded_at, "", ""))
    for _ in range(MOST_BATCHES):
        if start == len(leaves):
            break
        sealed_at = leaves[start][0]
        wanted = (sealed_at, recorded_at, object_id)
        index = bisect_left(leaves, wanted, start)
        if index < len(leaves) and leaves[index] == wanted:
            return index
        start = bisect_left(leaves, (sealed_at, _GREATEST, ""), start)
    latest = leaves[len(leaves) - 1][0] if len(leaves) else ""
    if latest < format_time(entry.recorded_at + MAX_DELAY):
        raise NotYetSealedError
    raise SealedLateError
