from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from functions.contract import schema
from functions.contract.entry import Entry, Outcome, Reason, Uploader
from functions.ledger.lookup import LedgerLookup
from functions.ledger.store import LedgerStore
from tests.functions.examples import entry, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient

    from tests.functions.account import LedgerTable

SHARDS = 4
FINGERPRINT = "ab" * 32
UPLOADED_AT = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
RECORDED_AT = UPLOADED_AT + timedelta(seconds=2)
RACERS = 32


@pytest.fixture
def store(ledger_table: LedgerTable) -> LedgerStore:
    return LedgerStore(ledger_table.client, ledger_table.name, SHARDS)


@pytest.fixture
def lookup(ledger_table: LedgerTable) -> LedgerLookup:
    return LedgerLookup(ledger_table.client, ledger_table.name)


def accepted(key: str = "lunch.png", version_id: str = "v1", **changes: Any) -> Entry:
    made = upload(key, version_id, UPLOADED_AT)
    usual: dict[str, Any] = {"upload": made, "recorded_at": RECORDED_AT, "fingerprint": FINGERPRINT}
    return entry(key, **usual | changes)


def rejected(key: str = "lunch.txt", fingerprint: str | None = FINGERPRINT) -> Entry:
    reason = Reason.UNSUPPORTED_TYPE if fingerprint else Reason.OBJECT_MISSING
    return accepted(key, outcome=Outcome.REJECTED, reason=reason, fingerprint=fingerprint)


def count(table: LedgerTable) -> int:
    return table.client.scan(TableName=table.name)["Count"]


class TestRecord:
    def test_new_bytes_are_accepted(
        self, store: LedgerStore, lookup: LedgerLookup, ledger_table: LedgerTable
    ) -> None:
        recorded = store.record(accepted())

        assert recorded.is_new
        assert recorded.entry == accepted() == lookup.receipt(FINGERPRINT)
        assert count(ledger_table) == 1

    def test_a_redelivered_accepted_object_is_not_recorded_again(
        self, store: LedgerStore, ledger_table: LedgerTable
    ) -> None:
        store.record(accepted())

        again = store.record(accepted(recorded_at=RECORDED_AT + timedelta(hours=1)))

        assert not again.is_new
        assert again.entry == accepted()
        assert count(ledger_table) == 1

    @pytest.mark.parametrize(
        "second", [accepted("second.png"), accepted("first.png", "v2")], ids=["new key", "new version"]
    )
    def test_same_bytes_again_are_recorded_as_duplicate_of_the_first(
        self, second: Entry, store: LedgerStore, lookup: LedgerLookup
    ) -> None:
        first = accepted("first.png")
        store.record(first)

        recorded = store.record(second)

        assert recorded.is_new
        assert recorded.entry.outcome is Outcome.DUPLICATE
        assert recorded.entry.duplicate_of == first.upload.version
        history = lookup.history(FINGERPRINT, limit=1000)
        assert history.receipt == first
        assert history.duplicates == [recorded.entry]

    def test_a_redelivered_duplicate_is_not_recorded_again(
        self, store: LedgerStore, ledger_table: LedgerTable
    ) -> None:
        store.record(accepted("first.png"))
        duplicate = store.record(accepted("second.png")).entry

        again = store.record(accepted("second.png", recorded_at=RECORDED_AT + timedelta(hours=1)))

        assert not again.is_new
        assert again.entry == duplicate
        assert count(ledger_table) == 2

    def test_when_the_same_bytes_are_recorded_at_once_one_is_accepted_and_the_rest_are_duplicates(
        self, store: LedgerStore, lookup: LedgerLookup
    ) -> None:
        together = threading.Barrier(RACERS, timeout=300)

        def record(number: int) -> Entry:
            together.wait()
            return store.record(accepted(f"{number}.png")).entry

        with ThreadPoolExecutor(RACERS) as pool:
            entries = list(pool.map(record, range(RACERS)))

        (first,) = (entry for entry in entries if entry.outcome is Outcome.ACCEPTED)
        history = lookup.history(FINGERPRINT, limit=1000)
        assert history.receipt == first
        assert len(history.duplicates) == RACERS - 1
        assert {entry.duplicate_of for entry in history.duplicates} == {first.upload.version}

    @pytest.mark.parametrize("fingerprint", [FINGERPRINT, None], ids=["read", "unread"])
    def test_a_rejection_is_recorded_once(
        self, fingerprint: str | None, store: LedgerStore, ledger_table: LedgerTable
    ) -> None:
        first = store.record(rejected(fingerprint=fingerprint))
        again = store.record(rejected(fingerprint=fingerprint))

        assert (first.is_new, again.is_new) == (True, False)
        assert first.entry == again.entry == rejected(fingerprint=fingerprint)
        assert count(ledger_table) == 1

    def test_rejected_bytes_under_two_keys_are_two_rejections(
        self, store: LedgerStore, lookup: LedgerLookup
    ) -> None:
        entries = [store.record(rejected(key)).entry for key in ("a.txt", "b.txt")]

        assert {entry.upload.version.key for entry in entries} == {"a.txt", "b.txt"}
        assert len(lookup.history(FINGERPRINT, limit=1000).rejections) == 2

    def test_a_rejection_does_not_prevent_a_receipt(self, store: LedgerStore) -> None:
        store.record(rejected())

        assert store.record(accepted()).entry.outcome is Outcome.ACCEPTED

    def test_only_the_ledger_finds_duplicates(self, store: LedgerStore) -> None:
        with pytest.raises(ValueError, match="ACCEPTED"):
            store.record(accepted(outcome=Outcome.DUPLICATE))


class TestRequests:
    """Requests to DynamoDB, counted at the client."""

    @pytest.fixture
    def requests(self, ledger_table: LedgerTable) -> list[str]:
        seen: list[str] = []
        ledger_table.client.meta.events.register(
            "before-call.dynamodb", lambda model, **_: seen.append(model.name)
        )
        return seen

    def test_a_new_receipt_and_a_redelivery_cost_one_put_a_duplicate_two_and_a_history_one_query(
        self, store: LedgerStore, lookup: LedgerLookup, requests: list[str]
    ) -> None:
        def cost(request: Callable[[], object]) -> list[str]:
            requests.clear()
            request()
            return requests

        assert cost(lambda: store.record(accepted())) == ["PutItem"]
        assert cost(lambda: store.record(accepted())) == ["PutItem"]
        assert cost(lambda: store.record(accepted("second.png"))) == ["PutItem", "PutItem"]
        assert cost(lambda: lookup.history(FINGERPRINT, limit=1000)) == ["Query"]


class TestFailures:
    @pytest.fixture
    def client(self, aws: boto3.Session) -> Iterator[DynamoDBClient]:
        """Another client, so that what a test does to its requests ends with the test."""
        no_retry = Config(retries={"total_max_attempts": 1})
        with contextlib.closing(aws.client("dynamodb", config=no_retry)) as client:
            yield client

    @pytest.mark.parametrize(
        "code",
        [
            "ProvisionedThroughputExceededException",
            "ThrottlingException",
            "InternalServerError",
            "TransactionConflictException",
            "ValidationException",
        ],
    )
    def test_only_a_failed_condition_means_that_there_is_an_entry(
        self, code: str, client: DynamoDBClient, ledger_table: LedgerTable
    ) -> None:
        def refuse(**_: Any) -> tuple[Any, dict[str, Any]]:
            status = AWSResponse("https://dynamodb", 400, {}, None)  # type: ignore[arg-type]
            return status, {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {}}

        client.meta.events.register("before-call.dynamodb.PutItem", cast("Callable[..., None]", refuse))

        with pytest.raises(ClientError, match=code):
            LedgerStore(client, ledger_table.name, SHARDS).record(accepted())
        assert count(ledger_table) == 0

    def test_a_put_whose_answer_was_lost_leaves_one_entry_when_it_is_repeated(
        self, client: DynamoDBClient, ledger_table: LedgerTable
    ) -> None:
        def lose_answer(**_: Any) -> None:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

        client.meta.events.register("after-call.dynamodb.PutItem", lose_answer)
        store = LedgerStore(client, ledger_table.name, SHARDS)
        with pytest.raises(ReadTimeoutError):
            store.record(accepted())
        client.meta.events.unregister("after-call.dynamodb.PutItem", lose_answer)

        again = store.record(accepted())

        assert not again.is_new
        assert again.entry.outcome is Outcome.ACCEPTED
        assert count(ledger_table) == 1


def without_uploader(entry: Entry) -> Entry:
    """An entry as operators may read it: how it was uploaded, but not by whom."""
    uploader = Uploader(principal=None, source_ip=None, via=entry.upload.uploader.via)
    return replace(entry, upload=replace(entry.upload, uploader=uploader))


class TestFind:
    def find(self, store: LedgerStore, recorded: Entry, until: datetime = RECORDED_AT) -> Entry | None:
        return store.find(recorded.upload.version, since=recorded.upload.uploaded_at, until=until)

    def test_an_object_version_is_found_whatever_its_outcome(self, store: LedgerStore) -> None:
        uploads = accepted(), accepted("second.png"), rejected(), rejected("gone.png", fingerprint=None)
        entries = [store.record(each).entry for each in uploads]

        assert [entry.outcome for entry in entries] == ["ACCEPTED", "DUPLICATE", "REJECTED", "REJECTED"]
        assert [self.find(store, each) for each in uploads] == [*map(without_uploader, entries)]

    def test_another_object_version_is_not_found_instead(self, store: LedgerStore) -> None:
        for other in accepted(version_id="v2"), accepted("other.png"), accepted("lunch.PNG"):
            store.record(other)

        assert self.find(store, accepted()) is None

    @pytest.mark.parametrize(
        "recorded_at",
        [datetime(2027, 2, 1, tzinfo=UTC), UPLOADED_AT - timedelta(minutes=14)],
        ids=["in a later month", "before its upload, by the clock of S3"],
    )
    def test_an_entry_is_found_whenever_it_was_recorded(
        self, recorded_at: datetime, store: LedgerStore
    ) -> None:
        recorded = accepted(recorded_at=recorded_at)
        store.record(recorded)

        assert self.find(store, recorded, until=recorded_at) == without_uploader(recorded)

    def test_months_before_the_first_release_are_not_read(
        self, store: LedgerStore, ledger_table: LedgerTable
    ) -> None:
        months: list[str] = []
        ledger_table.client.meta.events.register(
            "provide-client-params.dynamodb.Query",
            lambda params, **_: months.append(params["ExpressionAttributeValues"][":partition"]["S"][:7]),
        )

        version = accepted().upload.version
        store.find(version, since=datetime(1999, 1, 1, tzinfo=UTC), until=datetime(2027, 1, 5, tzinfo=UTC))

        assert [month for month, _ in groupby(months)] == ["2026-11", "2026-12", "2027-01"]

    def test_an_entry_is_found_behind_empty_pages_and_each_page_is_announced(
        self, store: LedgerStore, ledger_table: LedgerTable
    ) -> None:
        store = LedgerStore(ledger_table.client, ledger_table.name, shards=1)
        for number in range(5):
            store.record(accepted(f"{number}.png", fingerprint=f"{number:064}"))
        last = accepted("last.png", recorded_at=RECORDED_AT + timedelta(seconds=1))
        store.record(last)
        ledger_table.client.meta.events.register(
            "provide-client-params.dynamodb.Query",
            cast("Callable[..., None]", lambda params, **_: {**params, "Limit": 1}),
        )
        announced: list[int] = []

        found = store.find(
            last.upload.version,
            since=UPLOADED_AT,
            until=last.recorded_at,
            before_page=lambda: announced.append(1),
        )

        assert found == without_uploader(last)
        assert len(announced) == 6

    @pytest.mark.parametrize("raised", [5, 8, 16])
    def test_an_entry_is_found_after_the_shards_were_raised(
        self, raised: int, store: LedgerStore, ledger_table: LedgerTable
    ) -> None:
        entries = [accepted(f"{name}.png", fingerprint=name * 64) for name in "abcd"]
        for each in entries:
            store.record(each)

        later = LedgerStore(ledger_table.client, ledger_table.name, raised)
        assert [self.find(later, each) for each in entries] == [*map(without_uploader, entries)]

    def test_the_own_shard_is_read_first_and_every_shard_of_a_month_once(
        self, store: LedgerStore, ledger_table: LedgerTable
    ) -> None:
        asked: list[str] = []
        ledger_table.client.meta.events.register(
            "provide-client-params.dynamodb.Query",
            lambda params, **_: asked.append(params["ExpressionAttributeValues"][":partition"]["S"]),
        )

        version = accepted().upload.version
        store.find(version, since=UPLOADED_AT, until=datetime(2026, 12, 1, tzinfo=UTC))

        for month, of_month in (("2026-11", asked[:SHARDS]), ("2026-12", asked[SHARDS:])):
            assert of_month[0] == schema.month_shard(month, schema.shard_of(version, SHARDS))
            assert sorted(of_month) == [schema.month_shard(month, shard) for shard in range(SHARDS)]

    def test_a_search_can_be_given_up_before_a_page(self, store: LedgerStore) -> None:
        def give_up() -> None:
            raise TimeoutError

        with pytest.raises(TimeoutError):
            store.find(accepted().upload.version, since=UPLOADED_AT, until=RECORDED_AT, before_page=give_up)


class TestNoteMissing:
    def test_the_first_time_stands(self, store: LedgerStore) -> None:
        version, later = accepted().upload.version, RECORDED_AT + timedelta(hours=1)

        assert store.note_missing(version, RECORDED_AT) == RECORDED_AT
        assert store.note_missing(version, later) == RECORDED_AT
        assert store.note_missing(accepted(version_id="v2").upload.version, later) == later

    def test_a_note_is_not_an_entry(self, store: LedgerStore) -> None:
        version = accepted().upload.version
        store.note_missing(version, RECORDED_AT)

        assert store.find(version, since=UPLOADED_AT, until=RECORDED_AT) is None
        assert store.record(rejected(fingerprint=None)).is_new


class TestHistory:
    def test_an_unknown_fingerprint_has_an_empty_history(self, lookup: LedgerLookup) -> None:
        history = lookup.history(FINGERPRINT, limit=1000)

        assert history.is_empty
        assert not history.truncated

    def test_a_history_has_all_kinds_of_entries_newest_first(
        self, store: LedgerStore, lookup: LedgerLookup
    ) -> None:
        store.record(accepted("first.png"))
        duplicates = [
            store.record(accepted(f"{n}.png", recorded_at=RECORDED_AT + timedelta(seconds=n))).entry
            for n in range(5)
        ]
        store.record(rejected())

        history = lookup.history(FINGERPRINT, limit=1000)

        assert history.receipt == accepted("first.png")
        assert history.duplicates == duplicates[::-1]
        assert history.rejections == [rejected()]
        assert not history.truncated

    def test_a_history_that_is_too_long_says_so_and_leaves_out_duplicates(
        self, store: LedgerStore, lookup: LedgerLookup
    ) -> None:
        for key in ("first.png", "a.png", "b.png", "c.png"):
            store.record(accepted(key))

        history = lookup.history(FINGERPRINT, limit=2)

        assert history.truncated
        assert history.receipt == accepted("first.png")
        assert len(history.duplicates) == 1
        assert not lookup.history(FINGERPRINT, limit=4).truncated

    def test_a_fingerprint_that_was_only_rejected_has_no_receipt(
        self, store: LedgerStore, lookup: LedgerLookup
    ) -> None:
        store.record(rejected())

        assert lookup.receipt(FINGERPRINT) is None
        assert lookup.history(FINGERPRINT, limit=1000).receipt is None
