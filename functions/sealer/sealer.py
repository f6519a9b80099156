"""The sealer: what one run does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from functions.contract import metric_names, schema
from functions.contract.entry import format_time, parse_fingerprint, parse_time
from functions.log import logger, write_metrics
from functions.sealer.growth import grow
from functions.sealer.head import Lock, first_head
from functions.sealer.log_bucket import THREADS, LogBucket, LogIntegrityError, Retention
from functions.sealer.publication import Publication
from functions.sealer.recorded_order import RecordedOrder
from functions.sealer.sealed_keys import SealedKeys
from functions.sealing.leaf import Kind, Leaf, leaf_of, record_of, record_sha256
from functions.sealing.note import VerifierKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client

    from functions.contract.environment import SealerEnvironment
    from functions.contract.schema import Item
    from functions.sealer.head import Head

CLIENT_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    max_pool_connections=THREADS,
    retries={"mode": "standard", "total_max_attempts": 5},
)
"""Nobody waits for an answer, so a call may take a while."""

MOST_LEAVES: Final = 65_536
"""How many entries a batch has at most: a bit more than a minute brings at 1,000 a second."""

SWEEPS: Final = {"swept_soon": timedelta(hours=3), "swept_late": timedelta(days=3)}
"""How much later entries are compared with the log again, for what came to the time index too late."""

SWEEP_EVERY: Final = timedelta(hours=1)
SWEPT_BEFORE: Final = timedelta(days=1)
"""How much a sweep takes at least, and how long before the log began the first sweep does."""

MOST_SWEPT: Final = 200_000
"""How many entries a sweep takes at most, for which it needs about 40 MB of memory."""


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """An item that can't be sealed: its key in the table, and why."""

    key: str
    reason: str


@dataclass(kw_only=True)
class Batch:
    """Entries to seal next, as leaves by their keys in the time index, in order.

    Everything before ``through`` is in it, or in the log. ``is_last`` means that nothing is left.
    """

    through: str
    sealed_at: str
    leaves: dict[str, bytes] = field(default_factory=dict)
    malformed: list[Malformed] = field(default_factory=list)
    is_last: bool = True


@dataclass(kw_only=True)
class Done:
    """What a run has done: how much it sealed, what it couldn't, and since when entries have been waiting."""

    sealed: int = 0
    malformed: dict[str, Malformed] = field(default_factory=dict)
    waiting_since: str | None = None

    def add(self, batch: Batch) -> None:
        """Add a batch that is sealed."""
        self.sealed += len(batch.leaves)
        self.malformed |= {each.key: each for each in batch.malformed}
        self.waiting_since = None if batch.is_last else batch.through


class AnotherSealerError(Exception):
    """Another sealer has committed a tree, so this run must not go on."""


class Sealer:
    """Seals what was recorded, in batches, and then sweeps. One instance serves all runs."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        s3: S3Client,
        kms: KMSClient,
        environment: SealerEnvironment,
        now: Callable[[], datetime],
        most_leaves: int = MOST_LEAVES,
    ) -> None:
        self._environment = environment
        self._now = now
        self._most_leaves = most_leaves
        self._lock = Lock(dynamodb, environment.lock_table)
        self._order = RecordedOrder(dynamodb, environment.ledger_table, environment.ledger_shards)
        retention = Retention(mode=environment.lock_mode, days=environment.lock_days)
        self._log = LogBucket(s3, environment.log_bucket, retention, now)
        key = VerifierKey.parse(environment.public_key)
        self._publication = Publication(self._log, kms, environment.signing_key, key)
        self._sealed = SealedKeys(self._log)

    @classmethod
    def connected(cls, environment: SealerEnvironment) -> Sealer:
        """Make one with clients for AWS."""
        dynamodb: DynamoDBClient = boto3.client("dynamodb", config=CLIENT_CONFIG)
        s3: S3Client = boto3.client("s3", config=CLIENT_CONFIG)
        kms: KMSClient = boto3.client("kms", config=CLIENT_CONFIG)
        return cls(dynamodb, s3, kms, environment, lambda: datetime.now(UTC))

    def run(self, may_go_on: Callable[[], bool], settled_after: timedelta) -> dict[str, Any]:
        """Seal what was recorded longer ago than ``settled_after``, as far as there is time, and say so.

        Raises:
            LogIntegrityError: the log isn't the one that was committed.

        """
        done = Done()
        try:
            head = self._published_head()
            while True:
                batch = self._next_batch(head, settled_after)
                head = self._seal(head, batch)
                done.add(batch)
                if batch.is_last or not may_go_on():
                    break
            for sweep in SWEEPS if batch.is_last else ():
                if may_go_on():
                    head = self._sweep(head, sweep, done)
        except AnotherSealerError:
            logger.info("another sealer is at work")
        self._report(done)
        return {"sealed": done.sealed, "is_complete": done.waiting_since is None}

    def _published_head(self) -> Head:
        """Return the committed tree, once it is published."""
        head = self._lock.load()
        if head is None:
            head = first_head(format_time(self._now() - SWEPT_BEFORE))
            if not self._lock.create(head):
                raise AnotherSealerError
        if not self._publication.finish(head):
            after = self._lock.load()
            if after is None or after.size <= head.size:
                raise LogIntegrityError("the lock is behind the log")
            raise AnotherSealerError
        return head

    def _next_batch(self, head: Head, settled_after: timedelta) -> Batch:
        # Nothing is sealed before it is recorded: the log is searched by that.
        until = format_time(self._now() - max(settled_after, timedelta()))
        overlap = timedelta(seconds=self._environment.overlap_seconds)
        # A clock that was ahead has sealed up to a time that is still to come.
        since = format_time(parse_time(min(head.through, until)) - overlap)
        known = self._sealed.recorded_since(since, head.size)
        return self._collect(head, since, until, lambda key: key not in known)

    def _collect(self, head: Head, since: str, until: str, is_wanted: Callable[[str], bool]) -> Batch:
        sealed_at = max(format_time(self._now()), head.sealed_at)

        def convert(item: Item) -> bytes | Malformed | None:
            return _leaf_of(item, sealed_at) if is_wanted(item[schema.RECORDED]["S"]) else None

        batch = Batch(through=until, sealed_at=sealed_at)
        for key, found in self._order.read(since, until, convert):
            if isinstance(found, Malformed):
                batch.malformed.append(found)
            elif found is not None:
                batch.leaves[key] = found
                if len(batch.leaves) == self._most_leaves:
                    batch.through, batch.is_last = key.partition("#")[0], False
                    break
        return batch

    def _seal(self, head: Head, batch: Batch) -> Head:
        """Commit a batch and publish it. A batch without leaves changes nothing."""
        if not batch.leaves:
            return head
        leaves = [*batch.leaves.values()]
        edge = self._publication.edge(head)
        files = grow(edge, self._publication.last_leaves(edge), leaves)
        after = replace(
            head,
            size=edge.size,
            root=edge.root().hex(),
            # A full batch of late entries can end before what is sealed already.
            through=max(batch.through, head.through),
            sealed_at=batch.sealed_at,
        )
        published = self._log.published()
        self._log.stage(after, leaves)
        if not self._lock.swap(head, after):
            raise AnotherSealerError
        self._publication.publish(after, edge, files, published)
        self._sealed.add(batch.leaves, after.size)
        return after

    def _sweep(self, head: Head, sweep: str, done: Done) -> Head:
        """Compare entries with the log that should have been sealed long ago, and seal what wasn't."""
        since: str = getattr(head, sweep)
        until = format_time(self._now() - SWEEPS[sweep])
        if parse_time(until) - parse_time(since) < SWEEP_EVERY:
            return head
        keys: set[str] = set()
        for key, _ in self._order.read(since, until, lambda _: None):
            keys.add(key)
            if len(keys) == MOST_SWEPT:
                until = key.partition("#")[0]
                break
        late = self._sealed.without_sealed(keys, since, head.size)
        if late:
            batch = self._collect(head, min(late), max(late), late.__contains__)
            head = self._seal(head, replace(batch, through=head.through))
            done.add(batch)
            if batch.leaves:
                log_late(sweep, batch.leaves)
            if not batch.is_last:
                # The rest is found again.
                return head
        return self._lock.sweep(head, sweep, until)

    def _report(self, done: Done) -> None:
        for each in done.malformed.values():
            log_malformed(each)
        waiting = self._now() - parse_time(done.waiting_since) if done.waiting_since else timedelta()
        values: dict[str, float] = {metric_names.UNSEALED_AGE: max(0, round(waiting.total_seconds()))}
        if done.sealed:
            values[metric_names.SEALED] = done.sealed
            logger.info("entries sealed", extra={"entries": done.sealed})
        if done.malformed:
            values[metric_names.QUARANTINED] = len(done.malformed)
        environment = self._environment
        write_metrics(
            {metric_names.STACK: environment.stack, metric_names.SERVICE: environment.service}, values
        )


def log_late(sweep: str, keys: Collection[str]) -> None:
    """Write the line about entries that only a sweep has found."""
    logger.warning(
        "entries came late to the time index",
        extra={"sweep": sweep, "entries": len(keys), "first": min(keys), "last": max(keys)},
    )


def log_malformed(item: Malformed) -> None:
    """Write the line about an item that can't be sealed."""
    logger.error("an item of the ledger cannot be sealed", extra={"key": item.key, "reason": item.reason})


def _leaf_of(item: Item, sealed_at: str) -> bytes | Malformed:
    if item[schema.ENTRY]["S"] == schema.ERASURE:
        return _erasure_leaf(item, sealed_at)
    try:
        entry = schema.from_item(item)
        leaf = leaf_of(entry, parse_time(sealed_at)).encode()
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        return _malformed(item, repr(error))
    expected = {
        schema.FINGERPRINT: schema.partition_key(entry),
        schema.ENTRY: schema.sort_key(entry),
        schema.RECORDED: schema.recorded_key(entry.recorded_at, entry.upload.version),
    }
    differing = [name for name, text in expected.items() if item[name]["S"] != text]
    return _malformed(item, f"another entry's {', '.join(differing)}") if differing else leaf


def _erasure_leaf(item: Item, sealed_at: str) -> bytes | Malformed:
    """Seal that an entry was erased, which explains to a verifier why it is gone."""
    object_id = item[schema.FINGERPRINT]["S"].removeprefix(schema.ERASED)
    time, _, named = item[schema.RECORDED]["S"].partition("#")
    try:
        recorded_at = parse_time(time)
        record = {
            "object_id": parse_fingerprint(object_id),
            "recorded_at": time,
            "reason": item["reason"]["S"],
        }
    except (KeyError, ValueError) as error:
        return _malformed(item, repr(error))
    if named != object_id or format_time(recorded_at) != time:
        return _malformed(item, "an erasure whose place in the time index isn't its own")
    leaf = Leaf(
        kind=Kind.ERASURE,
        object_id=object_id,
        fingerprint=None,
        recorded_at=recorded_at,
        sealed_at=parse_time(sealed_at),
        record_sha256=record_sha256(record_of(record)),
    )
    return leaf.encode()


def _malformed(item: Item, reason: str) -> Malformed:
    names = (schema.FINGERPRINT, schema.ENTRY)
    return Malformed(key="/".join(item[name]["S"] for name in names), reason=reason)
