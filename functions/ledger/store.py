"""The ledger as the processor uses it: records entries, and finds the entry of an object version.

A condition decides whether an entry is new. It is part of the write, and nothing is read first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from functions.contract import schema
from functions.contract.entry import CLOCK_SKEW, Entry, ObjectVersion, Outcome, format_time, parse_time
from functions.ledger.backing import Backing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef

    from functions.contract.schema import Item

MOST_DUPLICATES = 100
"""How many duplicates the processor looks at before it says that an upload restores a receipt."""

START_OF_TIME = datetime.min.replace(tzinfo=UTC)
"""The earliest time that can be computed with. A message may claim that an upload is as old."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An object version's entry in the ledger. ``is_new`` means that this call inserted it."""

    entry: Entry
    is_new: bool


class LedgerStore:
    """One ledger table. Safe to use from several threads, like boto3 clients. Raises botocore's errors.

    New entries are spread over ``shards`` partitions of a month in the time index. The number may be raised
    at any time, since entries stay where they are and every shard is searched. It must not be lowered,
    because nobody would search the shards above it.

    ``is_live`` says whether S3 has an object version. Without it, all are taken to be there.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        shards: int,
        is_live: Callable[[ObjectVersion], bool] = lambda _: True,
    ) -> None:
        self._client = client
        self._table = table
        self._shards = shards
        self._backing = Backing(client, table, is_live, MOST_DUPLICATES)

    def record(self, entry: Entry, before_call: Callable[[], None] = lambda: None) -> Recorded:
        """Insert the entry of an object version unless it has one, and return the one in the ledger.

        An ACCEPTED entry becomes a DUPLICATE if another object version was accepted with the same bytes
        before. A new receipt costs one ``PutItem``. A duplicate costs two, and a question to S3, or more if
        the receipt's own version is gone. ``before_call`` is called before those, and may raise to give up.
        """
        if entry.outcome is Outcome.DUPLICATE:
            raise ValueError("a duplicate is for the ledger to find: record the entry as ACCEPTED")
        standing = self._insert(entry)
        if standing is None:
            return Recorded(entry=entry, is_new=True)
        if standing.upload.version == entry.upload.version:
            return Recorded(entry=standing, is_new=False)
        duplicate = replace(
            entry,
            outcome=Outcome.DUPLICATE,
            duplicate_of=standing.upload.version,
            restores=self._backing.passes_to(entry.upload.version, standing, before_call),
        )
        before_call()
        standing = self._insert(duplicate)
        return Recorded(entry=standing or duplicate, is_new=standing is None)

    def standing(
        self,
        version: ObjectVersion,
        fingerprint: str | None,
        before_call: Callable[[], None] = lambda: None,
    ) -> Entry | None:
        """Return an object version's entry, by every key that it can have. Strongly consistent.

        Without the ``fingerprint``, only an entry without one is found. ``before_call`` is called before each
        call, and may raise to give up.
        """
        for key in schema.possible_keys(version, fingerprint):
            before_call()
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
            if "Item" in answer:
                entry = schema.from_item(answer["Item"])
                if entry.upload.version == version:
                    return entry
        return None

    def find(
        self,
        version: ObjectVersion,
        *,
        since: datetime,
        until: datetime,
        before_page: Callable[[], None] = lambda: None,
    ) -> Entry | None:
        """Find the entry of an object version that was uploaded at ``since``, without its uploader.

        This reads the time index from ``since``, minus the clock skew, to the month of ``until``. It begins
        with the oldest entries, since most are recorded within seconds of the upload. It reads every shard of
        a month, beginning with the version's own. The entry is in another shard if ``shards`` was raised
        later.

        The index is eventually consistent, so ``None`` only means that there was no entry a moment ago.
        ``before_page`` is called before each page, and may raise to give up.
        """
        earliest = since - min(CLOCK_SKEW, since - START_OF_TIME)
        own = schema.shard_of(version, self._shards)
        shards = sorted(range(self._shards), key=lambda shard: shard != own)
        for month, shard in product(schema.months(format_time(earliest), format_time(until)), shards):
            query: QueryInputTypeDef = {
                "TableName": self._table,
                "IndexName": schema.TIME_INDEX,
                "KeyConditionExpression": "#month_shard = :partition AND #recorded >= :earliest",
                "FilterExpression": "#bucket = :bucket AND #key = :key AND #version_id = :version_id",
                "ExpressionAttributeValues": {
                    ":partition": {"S": schema.month_shard(month, shard)},
                    ":earliest": {"S": format_time(earliest)},
                    ":bucket": {"S": version.bucket},
                    ":key": {"S": version.key},
                    ":version_id": {"S": version.version_id},
                },
            }
            for page in self._pages(query, before_page):
                if page:
                    return schema.from_item(page[0])
        return None

    def note_missing(self, version: ObjectVersion, now: datetime) -> datetime:
        """Note that an object version is gone, and return when that was first noted, which may be ``now``."""
        standing = self._put_new(schema.missing_note(version, now))
        return now if standing is None else parse_time(standing[schema.NOTICED_AT]["S"])

    def _insert(self, entry: Entry) -> Entry | None:
        """Put an entry if its place is free. If it isn't, return the entry that is there."""
        standing = self._put_new(schema.to_item(entry, self._shards))
        return None if standing is None else schema.from_item(standing)

    def _put_new(self, item: Item) -> Item | None:
        """Put an item if its place is free. If it isn't, return the item that is there."""
        try:
            self._client.put_item(TableName=self._table, Item=item, **schema.IF_NEW)
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            return _item_in_the_way(refused)
        return None

    def _pages(self, query: QueryInputTypeDef, before_page: Callable[[], None]) -> Iterator[list[Item]]:
        """Read a query to its end, page by page. A page before the end can be empty, due to the filter."""
        start: QueryInputTypeDef = query
        while True:
            before_page()
            answer = self._client.query(**start, **schema.OPERATOR_VIEW)
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            start = {**query, "ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _item_in_the_way(refused: ClientError) -> Item:
    """Return the item that ``ReturnValuesOnConditionCheckFailure`` adds to the error."""
    answer = cast("dict[str, Item]", refused.response)
    return answer["Item"]
