"""The processor on moto: everything that can arrive, from the event to the ledger."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.contract.entry import ContentFinding, Outcome, Reason, Upload
from functions.contract.environment import EnvironmentVariablesError
from functions.processor.examination import DamagedReadError
from functions.processor.invocation import MAX_WORKERS, Deadline, UnreadableBatchError
from functions.processor.processor import Processor
from local.in_process.events import BUCKET, QUEUE_ARN, s3_event, s3_record
from local.whole_files import png
from tests.functions.account import TOO_LARGE, Account
from tests.functions.examples import (
    JPEG,
    PDF,
    PNG,
    S3_TEST_EVENT,
    TEXT,
    context,
    entry,
    failed,
    sqs_batch,
    upload,
)

ACCEPTED, DUPLICATE, REJECTED = Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.REJECTED
GARBAGE = "this is no event"
TIMED_OUT = ReadTimeoutError(endpoint_url="https://aws")


class SlowRecorder:
    """A recorder that takes 20 of the 60 seconds for each upload, and then fails."""

    def __init__(self) -> None:
        self.remaining_ms = 60_000
        self.asked: list[str] = []

    def record(self, made: Upload, **_: Any) -> NoReturn:
        self.asked.append(made.version.key)
        self.remaining_ms -= 20_000
        raise DamagedReadError


def events(account: Account, count: int) -> list[str]:
    """Upload a number of receipts, and return a message about each."""
    return [s3_event(account.put(f"{number}.png", png(bytes([number])))) for number in range(count)]


class TestWhatArrives:
    def test_a_test_event_is_acknowledged(self, account: Account) -> None:
        assert account.process(S3_TEST_EVENT) == []
        assert account.entries() == []

    def test_a_body_that_cannot_be_understood_comes_back_alone(self, account: Account) -> None:
        good = account.put("lunch.png", PNG)

        assert account.process(GARBAGE, s3_event(good)) == ["m0"]
        assert account.outcomes() == {"lunch.png": ACCEPTED}

    def test_a_receipt_is_accepted_with_everything_known_about_it(self, account: Account) -> None:
        made = account.put("lunch.png", PNG)

        assert account.process(s3_event(made)) == []

        (entry,) = account.entries()
        assert entry.outcome is ACCEPTED
        assert entry.upload.version == made.version
        assert entry.upload.uploader == made.uploader
        assert entry.fingerprint == hashlib.sha256(PNG).hexdigest()
        assert (entry.size_bytes, entry.media_type) == (len(PNG), "image/png")

    @pytest.mark.parametrize(
        ("data", "reason", "is_read"),
        [
            pytest.param(b"", Reason.EMPTY, True, id="empty"),
            pytest.param(TOO_LARGE, Reason.TOO_LARGE, False, id="too large"),
            pytest.param(TEXT, Reason.UNSUPPORTED_TYPE, True, id="no known type"),
            pytest.param(JPEG, Reason.UNSUPPORTED_TYPE, True, id="another type"),
            pytest.param(JPEG[:-2], Reason.UNSUPPORTED_TYPE, True, id="another type, and cut"),
            pytest.param(PDF[:-9], Reason.DAMAGED, True, id="cut"),
        ],
    )
    def test_what_cannot_be_accepted_is_rejected_with_the_reason(
        self, data: bytes, reason: Reason, is_read: bool, account: Account
    ) -> None:
        assert account.process(s3_event(account.put("lunch.png", data))) == []

        (entry,) = account.entries()
        assert (entry.outcome, entry.reason, entry.size_bytes) == (REJECTED, reason, len(data))
        assert entry.fingerprint == (hashlib.sha256(data).hexdigest() if is_read else None)

    def test_a_cut_file_has_an_entry_that_says_where_it_ends(self, account: Account) -> None:
        account.process(s3_event(account.put("bill.pdf", PDF[:200])))

        (entry,) = account.entries()
        assert (entry.reason, entry.media_type) == (Reason.DAMAGED, "application/pdf")
        assert entry.detail == "ends after 200 bytes, before startxref and %%EOF"

    def test_a_duplicate_has_the_findings_of_its_own_reading(self, account: Account) -> None:
        """The last release looked for none, so the accepted upload may have no findings."""
        data = PNG + TEXT
        of_last_release = entry("a.png", datetime.now(UTC), fingerprint=hashlib.sha256(data).hexdigest())
        account.store.record(of_last_release)

        account.process(s3_event(account.put("b.png", data)))

        assert {each.outcome: each.findings for each in account.entries()} == {
            ACCEPTED: (),
            DUPLICATE: (ContentFinding.TRAILING_DATA,),
        }

    def test_the_bytes_decide_the_type_and_not_the_name(self, account: Account) -> None:
        account.process(s3_event(account.put("receipt.txt", PDF)), s3_event(account.put("photo.png", TEXT)))

        assert account.outcomes() == {"receipt.txt": ACCEPTED, "photo.png": REJECTED}

    def test_an_object_gone_before_it_was_read_comes_back_and_is_then_rejected(
        self, account: Account
    ) -> None:
        made = account.put("lunch.png", PNG)
        account.delete(made)

        assert account.process(s3_event(made)) == ["m0"]
        assert account.process(s3_event(made), receive_count=2) == ["m0"]
        assert account.entries() == []
        account.clock.ahead = timedelta(hours=1)
        assert account.process(s3_event(made), receive_count=3) == []
        assert account.process(s3_event(made), receive_count=4) == []

        (entry,) = account.entries()
        assert (entry.outcome, entry.reason) == (REJECTED, Reason.OBJECT_MISSING)
        assert (entry.fingerprint, entry.size_bytes) == (None, None)

    def test_an_object_hidden_by_a_delete_marker_is_still_read(self, account: Account) -> None:
        made = account.put("lunch.png", PNG)
        account.s3.delete_object(Bucket=BUCKET, Key="lunch.png")

        assert account.process(s3_event(made)) == []
        assert account.outcomes() == {"lunch.png": ACCEPTED}

    def test_nothing_is_begun_with_little_time_left(self, account: Account) -> None:
        bodies = events(account, 3)

        assert account.process(*bodies, remaining_ms=24_999) == ["m0", "m1", "m2"]
        assert account.calls.made == []
        assert account.process(*bodies, remaining_ms=25_000) == []

    def test_no_upload_of_a_message_is_begun_with_little_time_left(self) -> None:
        recorder = SlowRecorder()
        batch = sqs_batch(s3_event(*(upload(key=f"{number}.png") for number in range(10))), S3_TEST_EVENT)

        response = Processor(cast("Any", recorder), QUEUE_ARN, dimensions={}).process(
            batch, Deadline(lambda: recorder.remaining_ms)
        )

        assert failed(response) == ["m0"]
        assert recorder.asked == ["0.png", "1.png"]

    @pytest.mark.parametrize("version_id", [None, "null"])
    def test_a_version_that_s3_can_overwrite_is_rejected(
        self, account: Account, version_id: str | None
    ) -> None:
        record = s3_record(upload())
        record["s3"]["object"]["versionId"] = version_id

        assert account.process(json.dumps({"Records": [record]})) == []

        (entry,) = account.entries()
        assert entry.upload.version.version_id == "null"
        assert (entry.outcome, entry.reason) == (REJECTED, Reason.UNVERSIONED)
        assert account.calls.made == ["PutItem"]


class TestOneEntryPerObjectVersion:
    def test_every_record_of_a_message_is_recorded(self, account: Account) -> None:
        many = [account.put(f"{number}.png", png(bytes([number]))) for number in range(5)]

        assert account.process(s3_event(*many)) == []
        assert account.outcomes() == {f"{number}.png": ACCEPTED for number in range(5)}

    def test_a_bad_record_fails_its_message_but_the_other_records_get_entries(self, account: Account) -> None:
        gone, good = account.put("gone.png", PDF), account.put("good.png", PNG)
        account.delete(gone)

        assert account.process(s3_event(gone, good)) == ["m0"]
        assert account.outcomes() == {"good.png": ACCEPTED}
        account.clock.ahead = timedelta(hours=1)
        assert account.process(s3_event(gone, good), receive_count=2) == []
        assert account.outcomes() == {"good.png": ACCEPTED, "gone.png": REJECTED}
        assert len(account.entries()) == 2

    def test_two_versions_of_one_key_are_not_mixed_up(self, account: Account) -> None:
        old, new = account.put("lunch.png", PNG), account.put("lunch.png", PDF)

        assert account.process(s3_event(new), s3_event(old)) == []

        recorded = {entry.upload.version.version_id: entry.media_type for entry in account.entries()}
        assert recorded == {old.version.version_id: "image/png", new.version.version_id: "application/pdf"}

    @pytest.mark.parametrize("keys", [("a.png", "b.png"), ("a.png", "a.png")], ids=["two keys", "one key"])
    @pytest.mark.parametrize("batches", [1, 2])
    def test_same_bytes_again_are_recorded_as_duplicate(
        self, batches: int, keys: tuple[str, str], account: Account
    ) -> None:
        bodies = [s3_event(account.put(key, PNG)) for key in keys]

        for batch in [bodies] if batches == 1 else [[body] for body in bodies]:
            assert account.process(*batch) == []

        receipt, duplicate = sorted(account.entries(), key=lambda entry: entry.outcome)
        assert (receipt.outcome, duplicate.outcome) == (ACCEPTED, DUPLICATE)
        assert duplicate.duplicate_of == receipt.upload.version
        assert {entry.upload.version.key for entry in (receipt, duplicate)} == {*keys}

    @pytest.mark.parametrize("data", [PNG, TEXT, b"", pytest.param(TOO_LARGE, id="too large")])
    def test_a_redelivered_event_changes_nothing(self, data: bytes, account: Account) -> None:
        body = s3_event(account.put("lunch.png", data))
        account.process(body)
        before = account.entries()

        assert account.process(body, body, receive_count=2) == []
        assert account.entries() == before
        assert len(before) == 1

    @pytest.mark.parametrize("receive_count", [1, 2])
    def test_an_event_redelivered_after_its_object_was_deleted_changes_nothing(
        self, receive_count: int, account: Account
    ) -> None:
        first, second = account.put("first.png", PNG), account.put("second.png", PNG)
        account.process(s3_event(first))
        account.process(s3_event(second))
        account.delete(first)
        account.delete(second)

        assert account.process(s3_event(first), s3_event(second), receive_count=receive_count) == []
        assert account.outcomes() == {"first.png": ACCEPTED, "second.png": DUPLICATE}
        assert len(account.entries()) == 2


class TestStorage:
    def test_a_new_receipt_costs_one_get_and_one_put(self, account: Account) -> None:
        account.process(*events(account, 1))

        assert account.calls.made == ["GetObject", "PutItem"]

    def test_clients_are_made_once(self, account: Account) -> None:
        for body in events(account, 2):
            account.process(body)

        assert sorted(account.calls.clients) == ["dynamodb", "s3"]

    @pytest.mark.parametrize("operation", ["GetObject", "PutItem"])
    def test_a_storage_error_in_the_middle_of_a_batch_fails_only_its_message(
        self, operation: str, account: Account
    ) -> None:
        def fail(name: str, parameters: dict[str, Any]) -> Exception | None:
            key = parameters["Key"] if name == "GetObject" else parameters["Item"]["key"]["S"]
            return TIMED_OUT if name == operation and key == "2.png" else None

        account.calls.fail_before = fail

        assert account.process(*events(account, 5)) == ["m2"]
        assert account.outcomes() == dict.fromkeys(["0.png", "1.png", "3.png", "4.png"], ACCEPTED)

    def test_a_put_whose_answer_was_lost_is_one_entry_when_the_message_comes_back(
        self, account: Account
    ) -> None:
        body = s3_event(account.put("lunch.png", PNG))
        account.calls.fail_after = lambda name: TIMED_OUT if name == "PutItem" else None
        assert account.process(body) == ["m0"]
        account.calls.fail_after = lambda _: None

        assert account.process(body, receive_count=2) == []
        assert [entry.outcome for entry in account.entries()] == [ACCEPTED]

    def test_when_everything_fails_every_message_is_reported(self, account: Account) -> None:
        account.calls.fail_before = lambda *_: TIMED_OUT

        assert account.process(*events(account, 3)) == ["m0", "m1", "m2"]

    def test_a_damaged_object_comes_back_without_an_entry(self, account: Account) -> None:
        wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        made = account.put("lunch.png", PNG)

        def damage(parsed: dict[str, Any], **_: Any) -> None:
            parsed |= {"ChecksumSHA256": wrong, "ChecksumType": "FULL_OBJECT"}

        account.handler("processor")
        processor = sys.modules["functions.processor.handler"]._processor
        processor._recorder._objects._client.meta.events.register("after-call.s3.GetObject", damage)

        assert account.process(s3_event(made)) == ["m0"]
        assert account.entries() == []


class TestConcurrency:
    def test_as_many_messages_as_there_are_workers_are_processed_at_the_same_time(
        self, account: Account
    ) -> None:
        all_are_reading = threading.Barrier(MAX_WORKERS, timeout=300)

        def meet(name: str, _: dict[str, Any]) -> None:
            if name == "GetObject":
                all_are_reading.wait()

        account.calls.fail_before = meet

        assert account.process(*events(account, MAX_WORKERS)) == []
        assert len(account.entries()) == MAX_WORKERS

    def test_a_batch_larger_than_the_number_of_workers_is_processed_to_the_end(
        self, account: Account
    ) -> None:
        bodies = events(account, 2 * MAX_WORKERS + 1)

        assert account.process(*bodies, GARBAGE) == [f"m{len(bodies)}"]
        assert len(account.entries()) == len(bodies)

    def test_nothing_is_kept_from_one_batch_to_the_next(self, account: Account) -> None:
        assert account.process(GARBAGE) == ["m0"]
        assert account.process(s3_event(account.put("lunch.png", PNG))) == []


class TestOddEvents:
    @pytest.mark.parametrize(
        "event",
        [
            {},
            {"Records": []},
            {"Records": None},
            {"Records": {}},
            {"Records": ["m0"]},
            {"Records": [{"body": "{}"}]},
            {"Records": [{"messageId": "m0"}]},
            {"Records": [{"messageId": "", "body": "{}"}]},
            {"Records": [s3_record(upload())]},
            {"version": "2.0", "routeKey": "GET /receipts"},
            [],
            None,
        ],
    )
    def test_an_event_that_is_no_batch_of_messages_raises(self, event: Any, account: Account) -> None:
        with pytest.raises(UnreadableBatchError):
            account.handler("processor")(event, context())

    def test_one_message_without_an_id_brings_back_the_whole_batch(self, account: Account) -> None:
        batch = sqs_batch(s3_event(account.put("lunch.png", PNG)), GARBAGE)
        del batch["Records"][1]["messageId"]

        with pytest.raises(UnreadableBatchError, match=r"Records\[1\]\.messageId"):
            account.handler("processor")(batch, context())
        assert account.entries() == []

    @pytest.mark.parametrize("name", ["LEDGER_TABLE", "SERVICE_NAME", "STACK_NAME"])
    def test_wrong_environment_variables_bring_back_the_whole_batch(
        self, name: str, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(name)

        with pytest.raises(EnvironmentVariablesError, match=f"{name} is not set"):
            account.process(S3_TEST_EVENT)


class TestLog:
    def test_a_receipt_is_one_line_with_these_fields_and_nothing_about_its_uploader(
        self, account: Account
    ) -> None:
        made = account.put("lunch.png", PNG)
        account.process(s3_event(made))

        (line,) = account.log()

        assert line.pop("duration_ms") >= 0
        assert line.pop("timestamp")
        assert line == {
            "level": "INFO",
            "message": "receipt recorded",
            "requestId": context().aws_request_id,
            "object_id": made.version.object_id,
            "outcome": "ACCEPTED",
            "fingerprint": hashlib.sha256(PNG).hexdigest(),
            "size_bytes": len(PNG),
            "media_type": "image/png",
        }

    def test_the_line_of_a_resent_upload_says_so(self, account: Account) -> None:
        account.process_resent(s3_event(account.put("lunch.png", PNG)))

        (line,) = account.log()

        assert line["resent"] is True

    def test_a_rejection_and_a_redelivery_say_so(self, account: Account) -> None:
        body = s3_event(account.put("lunch.txt", TEXT))
        for _ in range(2):
            account.process(body)

        first, again = account.log()

        assert (first["outcome"], first["reason"]) == ("REJECTED", "unsupported_type")
        assert again["message"] == "receipt was recorded before"

    def test_an_expected_failure_is_one_line_with_its_reason_and_no_stack_trace(
        self, account: Account
    ) -> None:
        account.process(GARBAGE)

        (line,) = account.log()

        assert line["level"] == "WARNING"
        assert line["message_id"] == "m0"
        assert line["requestId"] == context().aws_request_id
        assert line["reason"] == "UnreadableMessageError: body is 'this is no event', but must be JSON"
        assert "exception" not in line

    def test_a_line_names_no_more_than_five_failures_of_a_message(self, account: Account) -> None:
        gone = [account.put(f"{number}.png", PNG) for number in range(7)]
        failures = iter(range(7))
        account.calls.fail_before = lambda *_: ZeroDivisionError(f"failure {next(failures)}")
        account.process(s3_event(*gone))

        (line,) = account.log()

        named = "; ".join(f"ZeroDivisionError: failure {number}" for number in range(5))
        assert line["reason"] == f"{named}; and 2 more"

    def test_an_unexpected_failure_has_its_stack_trace(self, account: Account) -> None:
        account.calls.fail_before = lambda *_: ZeroDivisionError("surprise")
        account.process(s3_event(account.put("lunch.png", PNG)))

        (line,) = account.log()

        assert line["level"] == "ERROR"
        assert line["reason"] == "ZeroDivisionError: surprise"
        assert "Traceback" in line["exception"]
