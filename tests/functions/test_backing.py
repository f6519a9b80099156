"""A receipt can still be shown, or an upload restores it: what S3 has of its object versions."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from functions.contract import schema
from functions.contract.entry import Outcome
from functions.ledger import store
from functions.ledger.store import LedgerStore
from local.in_process.events import BUCKET, s3_event
from tests.functions.account import SHARDS
from tests.functions.examples import PNG, entry, upload

if TYPE_CHECKING:
    from functions.contract.entry import Entry, ObjectVersion, Upload
    from tests.functions.account import Account, LedgerTable
    from tests.functions.http_events import Answer

FINGERPRINT = hashlib.sha256(PNG).hexdigest()
AT = datetime(2026, 11, 30, tzinfo=UTC)
RACERS = 8


def recorded(account: Account, *keys: str) -> list[Upload]:
    """Upload the same bytes to each key, one after the other, and record them."""
    uploads = [account.put(key, PNG) for key in keys]
    for made in uploads:
        assert account.process(s3_event(made)) == []
    return uploads


def restoring(account: Account) -> list[str]:
    return [each.upload.version.key for each in account.entries() if each.restores]


def asked_form(account: Account) -> Answer:
    body = {"filename": "lunch.png", "size_bytes": len(PNG), "fingerprint": FINGERPRINT}
    return account.post(json.dumps(body))


def s3_refuses(status: int, code: str) -> Exception:
    error: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(error, "HeadObject")


PASSING = [
    s3_refuses(403, "403"),
    s3_refuses(405, "405"),
    s3_refuses(500, "500"),
    s3_refuses(503, "503"),
    ConnectionClosedError(endpoint_url="https://s3"),
]


class TestLoss:
    def test_what_was_deleted_for_good_is_restored_by_the_next_upload_as_often_as_it_is_lost(
        self, account: Account
    ) -> None:
        (first,) = recorded(account, "first.png")
        for number in range(3):
            for each in account.entries():
                account.delete(each.upload)
            recorded(account, f"restores {number}.png", f"plain {number}.png")

        assert restoring(account) == ["restores 0.png", "restores 1.png", "restores 2.png"]
        for each in account.entries()[1:]:
            assert (each.outcome, each.duplicate_of) == (Outcome.DUPLICATE, first.version)

    def test_a_form_is_given_while_nothing_is_left(self, account: Account) -> None:
        statuses = [asked_form(account).status]
        for key in ("first.png", "second.png"):
            (made,) = recorded(account, key)
            statuses.append(asked_form(account).status)
            account.delete(made)
            statuses.append(asked_form(account).status)

        assert statuses == [201, 409, 201, 409, 201]

    def test_a_duplicate_that_is_left_is_enough(self, account: Account) -> None:
        uploads = recorded(account, *(f"{number}.png" for number in range(4)))
        for made in (*uploads[:2], uploads[3]):
            account.delete(made)

        assert asked_form(account).status == 409
        recorded(account, "next.png")
        assert restoring(account) == []

    def test_a_delete_marker_hides_and_does_not_destroy(self, account: Account) -> None:
        recorded(account, "lunch.png")
        account.s3.delete_object(Bucket=BUCKET, Key="lunch.png")

        assert asked_form(account).status == 409
        recorded(account, "next.png")
        assert restoring(account) == []

    def test_a_receipt_in_a_former_place_is_taken_to_be_there(self, account: Account) -> None:
        made = upload("lunch.png")
        elsewhere = replace(made, version=replace(made.version, bucket="former"))
        account.store.record(entry("lunch.png", AT, upload=elsewhere, fingerprint=FINGERPRINT))

        assert asked_form(account).status == 409
        recorded(account, "next.png")
        assert restoring(account) == []
        assert "HeadObject" not in account.calls.made

    def test_a_redelivered_event_changes_nothing(self, account: Account) -> None:
        (first,) = recorded(account, "first.png")
        account.delete(first)
        second, third = recorded(account, "second.png", "third.png")
        before = account.entries()

        assert account.process(s3_event(third), s3_event(second)) == []
        account.delete(second)
        assert account.process(s3_event(third)) == []

        assert account.entries() == before
        recorded(account, "fourth.png")
        assert restoring(account) == ["second.png"]

    @pytest.mark.parametrize("error", PASSING, ids=str)
    def test_an_error_of_s3_decides_nothing(self, error: Exception, account: Account) -> None:
        (first,) = recorded(account, "first.png")
        account.delete(first)
        account.calls.fail_before = lambda operation, _: error if operation == "HeadObject" else None
        made = account.put("second.png", PNG)

        assert asked_form(account).status >= 500
        assert account.process(s3_event(made)) == ["m0"]
        assert len(account.entries()) == 1

        account.calls.fail_before = lambda *_: None
        assert account.process(s3_event(made)) == []
        assert restoring(account) == ["second.png"]

    @pytest.mark.parametrize("writes", [1, 2, 3], ids=["as a receipt", "the note", "the entry"])
    def test_a_write_that_failed_is_made_by_the_next_delivery(self, writes: int, account: Account) -> None:
        (first,) = recorded(account, "first.png")
        account.delete(first)
        made, other = account.put("second.png", PNG), account.put("third.png", PNG)
        account.calls.made.clear()
        error = ConnectionClosedError(endpoint_url="https://dynamodb")
        account.calls.fail_before = lambda *_: (
            error if account.calls.made.count("PutItem") == writes else None
        )

        assert account.process(s3_event(made)) == ["m0"]
        account.calls.fail_before = lambda *_: None
        assert account.process(s3_event(made)) == []
        assert account.process(s3_event(other)) == []

        assert restoring(account) == ["second.png"]

    def test_work_is_given_up_when_time_runs_out(self, account: Account) -> None:
        (first,) = recorded(account, "first.png")
        account.delete(first)
        made = account.put("second.png", PNG)

        assert account.process(s3_event(made), remaining_ms=24_999) == ["m0"]
        assert account.process(s3_event(made), remaining_ms=25_000) == []

    def test_an_unreadable_duplicate_is_passed_over(self, account: Account) -> None:
        (first,) = recorded(account, "first.png")
        broken = {
            schema.FINGERPRINT: {"S": FINGERPRINT},
            schema.ENTRY: {"S": f"DUPLICATE#{first.version.object_id}"},
        }
        account.table.client.put_item(TableName=account.table.name, Item=broken)
        account.delete(first)

        assert asked_form(account).status == 201
        recorded(account, "second.png")
        assert restoring(account) == ["second.png"]


class TestCost:
    """Calls to AWS, in order."""

    @pytest.mark.parametrize(
        ("lost", "calls"),
        [
            ([], ["HeadObject"]),
            ([0], ["HeadObject", "GetItem", "Query", "HeadObject", "PutItem"]),
            ([0, 1], ["HeadObject", "GetItem", "Query", "HeadObject", "PutItem"]),
        ],
        ids=["nothing is lost", "a duplicate is left", "nothing is left"],
    )
    def test_a_duplicate_asks_s3_once_unless_something_is_lost(
        self, lost: list[int], calls: list[str], account: Account
    ) -> None:
        uploads = recorded(account, "first.png", "second.png")
        for number in lost:
            account.delete(uploads[number])
        account.calls.made.clear()

        recorded(account, "third.png")

        assert account.calls.made == ["GetObject", "PutItem", *calls, "PutItem"]
        account.calls.made.clear()
        recorded(account, "fourth.png")
        again = ["HeadObject", "GetItem", "HeadObject"] if lost else ["HeadObject"]
        assert account.calls.made == ["GetObject", "PutItem", *again, "PutItem"]

    def test_a_form_asks_s3_only_about_what_was_accepted(self, account: Account) -> None:
        asked_form(account)
        recorded(account, "first.png")
        account.calls.made.clear()
        asked_form(account)

        assert account.calls.made == ["GetItem", "HeadObject"]

    def test_so_many_duplicates_are_looked_at_and_no_more(
        self, ledger_table: LedgerTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "MOST_DUPLICATES", 5)
        asked: list[ObjectVersion] = []

        def is_live(version: ObjectVersion) -> bool:
            asked.append(version)
            return False

        full = LedgerStore(ledger_table.client, ledger_table.name, SHARDS)
        for number in range(20):
            full.record(same_bytes(number))

        made = LedgerStore(ledger_table.client, ledger_table.name, SHARDS, is_live).record(same_bytes(20))

        assert made.entry.restores
        assert len(asked) == 1 + 5

    def test_no_version_is_asked_about_twice(self, ledger_table: LedgerTable) -> None:
        asked: list[ObjectVersion] = []

        def is_live(version: ObjectVersion) -> bool:
            asked.append(version)
            return False

        for number in range(4):
            asked.clear()
            LedgerStore(ledger_table.client, ledger_table.name, SHARDS, is_live).record(same_bytes(number))

            assert sorted(asked, key=str) == [same_bytes(each).upload.version for each in range(number)]


class TestRace:
    @pytest.mark.parametrize("losses", [1, 2])
    def test_one_of_several_uploads_at_once_restores(self, losses: int, ledger_table: LedgerTable) -> None:
        gone: set[ObjectVersion] = set()
        together = threading.Barrier(RACERS, timeout=300)
        seen = threading.local()

        def is_live(version: ObjectVersion) -> bool:
            if not hasattr(seen, "one"):
                seen.one = together.wait()
            return version not in gone

        ledger = LedgerStore(ledger_table.client, ledger_table.name, SHARDS, lambda one: one not in gone)
        for number in range(losses):
            gone.add(ledger.record(same_bytes(number)).entry.upload.version)
        racing = LedgerStore(ledger_table.client, ledger_table.name, SHARDS, is_live)

        with ThreadPoolExecutor(RACERS) as pool:
            entries = list(
                pool.map(lambda number: racing.record(same_bytes(number)).entry, range(10, 10 + RACERS))
            )

        assert [each.restores for each in entries].count(True) == 1

    def test_an_upload_that_has_lost_its_place_meanwhile_takes_it_again(
        self, ledger_table: LedgerTable
    ) -> None:
        """Another upload was noted between the look and the note, and is deleted before anybody sees it."""
        gone = {same_bytes(0).upload.version}
        ledger = LedgerStore(ledger_table.client, ledger_table.name, SHARDS, lambda one: one not in gone)
        ledger.record(same_bytes(0))
        is_first = True

        def before_call() -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                assert ledger.record(same_bytes(1)).entry.restores
                gone.add(same_bytes(1).upload.version)

        assert ledger.record(same_bytes(2), before_call).entry.restores


def same_bytes(number: int) -> Entry:
    made = upload(f"{number}.png", uploaded_at=AT)
    return entry("lunch.png", AT, upload=made, fingerprint=FINGERPRINT)
