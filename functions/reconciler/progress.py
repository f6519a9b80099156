"""How far the reconciler has come, and where it keeps that between two invocations."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from functions.contract.entry import STALE_MULTIPART_DAYS, format_time, parse_time
from functions.contract.reconciliation import PROGRESS_FOLDER
from functions.log import logger
from functions.reconciliation.inventory import BEGINNING, Place, StoredVersion

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import PutObjectRequestTypeDef

ENTRIES, BACKED = "entries", "backed"
"""The kinds of runs: what a slice has read of the ledger, and the receipts that it has seen in the bucket."""

_KEY: Final = f"{PROGRESS_FOLDER}progress.json"

_GONE: Final = frozenset({"NoSuchKey", "NoSuchVersion"})
_LOST: Final = frozenset({"ConditionalRequestConflict", "PreconditionFailed"})
"""What S3 answers if the object isn't the one that was read ("How to prevent object overwrites")."""

FIRST: Final = format_time(datetime.min.replace(tzinfo=UTC) + timedelta(days=365))
"""A time before every upload, from which a few days can be taken."""


class LostRunError(Exception):
    """What an earlier slice has written is gone, so the round can't go on."""


class AnotherInvocationError(Exception):
    """Another invocation has changed the progress, so this one must not go on."""


@dataclass(kw_only=True)
class Round:
    """A comparison of the whole bucket with the whole ledger, as far as it has come. Times are text.

    The ledger is read first, from `ledger_key` on, and then the bucket is listed, from `place` on; each is
    None at the end. `newest_upload` is that of the entries that were read, except for those resent. `runs`
    are the version ids of what earlier slices have written, by kind. `may_send` says whether what is missing
    is sent. `entries_before` is the most entries that any round before has read.
    """

    began_at: str
    age_seconds: int
    queue_was_empty: bool
    may_send: bool
    entries_before: int = 0
    ledger_key: dict[str, Any] | None = field(default_factory=dict)
    place: Place | None = field(default_factory=lambda: BEGINNING)
    newest_upload: str = FIRST
    runs: dict[str, list[str]] = field(default_factory=lambda: {ENTRIES: [], BACKED: []})
    entries: int = 0
    versions: int = 0
    in_flight: int = 0
    missing: int = 0
    sent: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether everything has been compared."""
        return self.ledger_key is None and self.place is None

    def judges(self, version: StoredVersion) -> bool:
        """Say whether an upload is old enough to be missing if it has no entry.

        S3 dates a multipart upload by its beginning, so it may have ended much later.
        """
        days = STALE_MULTIPART_DAYS + 1 if version.multipart else 0
        return version.modified < _before(self._judged_before, timedelta(days=days))

    @property
    def _judged_before(self) -> str:
        """When an upload had to come at the latest, to be judged.

        Messages leave the queue roughly in order. So if it wasn't empty, an upload may still be waiting in it
        unless one that came later has its entry, and an upload that is sent again loses the name of its
        uploader.
        """
        newest = self.began_at if self.queue_was_empty else min(self.began_at, self.newest_upload)
        return _before(newest, timedelta(seconds=self.age_seconds))


@dataclass(kw_only=True)
class Progress:
    """What one invocation leaves for the next one. Times are text.

    `complete_since` is when the last complete round began, or the first round, if none is complete yet. While
    `claimed_until` isn't over, no other invocation takes a slice.
    """

    complete_since: str
    claimed_until: str = ""
    round: Round | None = None

    def is_due(self, now: datetime, every: timedelta) -> bool:
        """Say whether there is something to do: a round to go on with, or to begin."""
        if self.round is None or not self.round.is_complete:
            return True
        return now - parse_time(self.round.began_at) >= every


class ProgressStore:
    """The progress in S3. Each write is on the condition that nobody else has written since the last one."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._etag: str | None = None

    def load(self, now: datetime) -> Progress:
        """Read the progress, or make the first one."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=_KEY)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
            self._etag = None
            return Progress(complete_since=format_time(now))
        self._etag = answer["ETag"]
        try:
            return _read(answer["Body"].read())
        except (KeyError, TypeError, ValueError) as error:
            # Another version of the program wrote it.
            logger.warning("the progress can't be read, so a round begins", extra={"reason": repr(error)})
            return Progress(complete_since=format_time(now))

    def save(self, progress: Progress) -> None:
        """Write the progress, or raise AnotherInvocationError."""
        put: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": _KEY,
            "Body": json.dumps(asdict(progress)).encode(),
        }
        if self._etag is None:
            put["IfNoneMatch"] = "*"
        else:
            put["IfMatch"] = self._etag
        try:
            self._etag = self._s3.put_object(**put)["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _LOST:
                raise AnotherInvocationError from error
            raise

    def write_run(self, kind: str, number: int, rows: bytes) -> str:
        """Write what a slice has found, over that of an earlier round, and return its version id."""
        answer = self._s3.put_object(Bucket=self._bucket, Key=_run(kind, number), Body=rows)
        return answer["VersionId"]

    def read_run(self, kind: str, number: int, version_id: str) -> bytes:
        """Read what an earlier slice of the round has written, or raise LostRunError."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=_run(kind, number), VersionId=version_id)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
            raise LostRunError(f"{kind}-{number}") from error
        return answer["Body"].read()


def _read(written: bytes) -> Progress:
    found = json.loads(written)
    earlier = found.pop("round")
    return Progress(**found, round=None if earlier is None else Round(**earlier))


def _run(kind: str, number: int) -> str:
    return f"{PROGRESS_FOLDER}{kind}-{number}"


def _before(moment: str, by: timedelta) -> str:
    return format_time(parse_time(moment) - by)
