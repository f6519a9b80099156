"""The processor's handler on moto: every row of what can arrive, from the event to the ledger."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from functions.contract import schema
from functions.contract.entry import Entry, Outcome, Reason, Upload
from functions.environment import EnvironmentVariablesError
from functions.processor.batch import MAX_WORKERS, UnreadableBatchError
from tests.functions.examples import (
    JPEG,
    PDF,
    PNG,
    S3_TEST_EVENT,
    TEXT,
    context,
    entry_point,
    failed,
    s3_event,
    s3_record,
    sqs_batch,
    upload,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.functions.conftest import LedgerTable, UploadsBucket

MAX_BYTES = 1000
ACCEPTED, DUPLICATE, REJECTED = Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.REJECTED
GARBAGE = "this is no event"


class World:
    """A bucket to upload to, the processor, and the ledger that it writes."""

    def __init__(self, bucket: UploadsBucket, table: LedgerTable) -> None:
        self.bucket = bucket
        self.table = table

    @cached_property
    def handle(self) -> Callable[..., Any]:
        return entry_point("processor")

    def put(self, key: str, data: bytes) -> Upload:
        version = self.bucket.client.put_object(Bucket=self.bucket.name, Key=key, Body=data)["VersionId"]
        return upload(key=key, version_id=version)

    def delete(self, made: Upload) -> None:
        """Delete an object version for good."""
        version = made.version
        self.bucket.client.delete_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)

    def process(self, *bodies: str, receive_count: int = 1, remaining_ms: int = 60_000) -> list[str]:
        """Deliver a batch of message bodies, and return the messages that come back."""
        batch = sqs_batch(*bodies, receive_count=receive_count)
        return failed(self.handle(batch, context(remaining_ms)))

    def entries(self) -> list[Entry]:
        items = self.table.client.scan(TableName=self.table.name, IndexName=schema.TIME_INDEX)["Items"]
        return sorted((schema.from_item(item) for item in items), key=lambda entry: entry.recorded_at)

    def let_time_pass(self, made: Upload) -> None:
        """Have it that an object was noticed to be gone an hour ago."""
        note = schema.missing_note(made.version, datetime.now(UTC) - timedelta(hours=1))
        self.table.client.put_item(TableName=self.table.name, Item=note)

    def outcomes(self) -> dict[str, Outcome]:
        return {entry.upload.version.key: entry.outcome for entry in self.entries()}


@pytest.fixture
def world(uploads_bucket: UploadsBucket, ledger_table: LedgerTable, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in {
        "LEDGER_TABLE": ledger_table.name,
        "LEDGER_SHARDS": "4",
        "MAX_RECEIPT_BYTES": str(MAX_BYTES),
        "ACCEPTED_TYPES": "application/pdf,image/png",
    }.items():
        monkeypatch.setenv(name, value)
    return World(uploads_bucket, ledger_table)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Watches the requests of the clients that the processor makes, and may fail them."""
    calls = Calls()
    make_client = boto3.client

    def watched_client(*args: Any, **kwargs: Any) -> Any:
        client = make_client(*args, **kwargs)
        client.meta.events.register("provide-client-params", calls.before)
        client.meta.events.register("after-call", calls.after)
        return client

    monkeypatch.setattr(boto3, "client", watched_client)
    return calls


class Calls:
    """Requests in order, as operation names."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.parameters: list[dict[str, Any]] = []
        self.fail_before: Callable[[str, dict[str, Any]], Exception | None] = lambda *_: None
        self.fail_after: Callable[[str], Exception | None] = lambda *_: None

    def before(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.made.append(model.name)
        self.parameters.append(params)
        self._raise(self.fail_before(model.name, params))

    def after(self, model: Any, **_: Any) -> None:
        self._raise(self.fail_after(model.name))

    @staticmethod
    def _raise(error: Exception | None) -> None:
        if error is not None:
            raise error


def timed_out() -> ReadTimeoutError:
    return ReadTimeoutError(endpoint_url="https://aws")


class TestWhatArrives:
    def test_a_test_event_is_acknowledged(self, world: World) -> None:
        assert world.process(S3_TEST_EVENT) == []
        assert world.entries() == []

    def test_a_body_that_cannot_be_understood_comes_back_alone(self, world: World) -> None:
        good = world.put("lunch.png", PNG)

        assert world.process(GARBAGE, s3_event(good)) == ["m0"]
        assert world.outcomes() == {"lunch.png": ACCEPTED}

    def test_a_receipt_is_accepted_with_all_that_is_known_of_it(self, world: World) -> None:
        made = world.put("lunch.png", PNG)

        assert world.process(s3_event(made)) == []

        (entry,) = world.entries()
        assert entry.outcome is ACCEPTED
        assert entry.upload.version == made.version
        assert entry.upload.uploader == made.uploader
        assert entry.fingerprint == hashlib.sha256(PNG).hexdigest()
        assert (entry.size_bytes, entry.media_type) == (len(PNG), "image/png")

    @pytest.mark.parametrize(
        ("data", "reason", "is_read"),
        [
            (b"", Reason.EMPTY, True),
            (PNG.ljust(MAX_BYTES + 1), Reason.TOO_LARGE, False),
            (TEXT, Reason.UNSUPPORTED_TYPE, True),
            (JPEG, Reason.UNSUPPORTED_TYPE, True),
        ],
    )
    def test_what_cannot_be_taken_is_rejected_with_the_reason(
        self, data: bytes, reason: Reason, is_read: bool, world: World
    ) -> None:
        assert world.process(s3_event(world.put("lunch.png", data))) == []

        (entry,) = world.entries()
        assert (entry.outcome, entry.reason, entry.size_bytes) == (REJECTED, reason, len(data))
        assert entry.fingerprint == (hashlib.sha256(data).hexdigest() if is_read else None)

    def test_a_type_is_told_by_the_bytes_and_not_by_the_name(self, world: World) -> None:
        world.process(s3_event(world.put("receipt.txt", PDF)), s3_event(world.put("photo.png", TEXT)))

        assert world.outcomes() == {"receipt.txt": ACCEPTED, "photo.png": REJECTED}

    def test_an_object_gone_before_it_was_read_comes_back_and_is_then_rejected(self, world: World) -> None:
        made = world.put("lunch.png", PNG)
        world.delete(made)

        assert world.process(s3_event(made)) == ["m0"]
        assert world.process(s3_event(made), receive_count=2) == ["m0"]
        assert world.entries() == []
        world.let_time_pass(made)
        assert world.process(s3_event(made), receive_count=3) == []
        assert world.process(s3_event(made), receive_count=4) == []

        (entry,) = world.entries()
        assert (entry.outcome, entry.reason) == (REJECTED, Reason.OBJECT_MISSING)
        assert (entry.fingerprint, entry.size_bytes) == (None, None)

    def test_an_object_hidden_by_a_delete_marker_is_still_read(self, world: World) -> None:
        made = world.put("lunch.png", PNG)
        world.bucket.client.delete_object(Bucket=world.bucket.name, Key="lunch.png")

        assert world.process(s3_event(made)) == []
        assert world.outcomes() == {"lunch.png": ACCEPTED}

    def test_nothing_is_begun_with_little_time_left(self, world: World, calls: Calls) -> None:
        bodies = [s3_event(world.put(f"{number}.png", PNG)) for number in range(3)]
        calls.made.clear()

        assert world.process(*bodies, remaining_ms=24_999) == ["m0", "m1", "m2"]
        assert calls.made == []
        assert world.process(*bodies, remaining_ms=25_000) == []

    def test_an_object_from_before_versioning_is_read_as_version_null(
        self, world: World, calls: Calls
    ) -> None:
        world.bucket.client.create_bucket(
            Bucket="unversioned", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        world.bucket.client.put_object(Bucket="unversioned", Key="lunch.png", Body=PNG)
        record = s3_record(upload())
        record["s3"]["bucket"]["name"] = "unversioned"
        del record["s3"]["object"]["versionId"]

        assert world.process(json.dumps({"Records": [record]})) == []

        (entry,) = world.entries()
        assert entry.upload.version.version_id == "null"
        assert calls.parameters[0]["VersionId"] == "null"


class TestOneEntryPerObjectVersion:
    def test_every_record_of_a_message_is_recorded(self, world: World) -> None:
        many = [world.put(f"{number}.png", PNG + bytes([number])) for number in range(5)]

        assert world.process(s3_event(*many)) == []
        assert world.outcomes() == {f"{number}.png": ACCEPTED for number in range(5)}

    def test_one_bad_record_fails_its_message_and_the_others_of_it_are_recorded(self, world: World) -> None:
        gone, good = world.put("gone.png", PDF), world.put("good.png", PNG)
        world.delete(gone)

        assert world.process(s3_event(gone, good)) == ["m0"]
        assert world.outcomes() == {"good.png": ACCEPTED}
        world.let_time_pass(gone)
        assert world.process(s3_event(gone, good), receive_count=2) == []
        assert world.outcomes() == {"good.png": ACCEPTED, "gone.png": REJECTED}
        assert len(world.entries()) == 2

    @pytest.mark.parametrize(
        "key", ["red flower.png", "1+1.png", "100%.png", "100%25.png", "café€🧾.png", "é" * 512, "a/b//c.png"]
    )
    def test_any_key_is_read_and_recorded_as_it_was_uploaded(self, key: str, world: World) -> None:
        assert world.process(s3_event(world.put(key, PNG))) == []
        assert world.outcomes() == {key: ACCEPTED}

    def test_two_versions_of_one_key_are_read_each_by_its_own_version(self, world: World) -> None:
        old, new = world.put("lunch.png", PNG), world.put("lunch.png", PDF)

        assert world.process(s3_event(new), s3_event(old)) == []

        recorded = {entry.upload.version.version_id: entry.media_type for entry in world.entries()}
        assert recorded == {old.version.version_id: "image/png", new.version.version_id: "application/pdf"}

    def test_same_bytes_under_two_keys_in_one_batch_are_one_receipt_and_one_duplicate(
        self, world: World
    ) -> None:
        bodies = [s3_event(world.put(key, PNG)) for key in ("a.png", "b.png")]

        assert world.process(*bodies) == []

        receipt, duplicate = sorted(world.entries(), key=lambda entry: entry.outcome)
        assert (receipt.outcome, duplicate.outcome) == (ACCEPTED, DUPLICATE)
        assert duplicate.duplicate_of == receipt.upload.version

    def test_same_bytes_in_a_later_batch_are_recorded_as_duplicate(self, world: World) -> None:
        world.process(s3_event(world.put("first.png", PNG)))
        world.process(s3_event(world.put("second.png", PNG)))

        assert world.outcomes() == {"first.png": ACCEPTED, "second.png": DUPLICATE}

    def test_same_bytes_written_again_to_the_same_key_are_recorded_as_duplicate(self, world: World) -> None:
        world.process(s3_event(world.put("lunch.png", PNG)))
        world.process(s3_event(world.put("lunch.png", PNG)))

        assert [entry.outcome for entry in world.entries()] == [ACCEPTED, DUPLICATE]

    @pytest.mark.parametrize("data", [PNG, TEXT, b"", PNG.ljust(MAX_BYTES + 1)])
    def test_a_redelivered_event_changes_nothing(self, data: bytes, world: World) -> None:
        body = s3_event(world.put("lunch.png", data))
        world.process(body)
        before = world.entries()

        assert world.process(body, body, receive_count=2) == []
        assert world.entries() == before
        assert len(before) == 1

    @pytest.mark.parametrize("receive_count", [1, 2])
    def test_an_event_redelivered_after_its_object_was_deleted_changes_nothing(
        self, receive_count: int, world: World
    ) -> None:
        first, second = world.put("first.png", PNG), world.put("second.png", PNG)
        world.process(s3_event(first))
        world.process(s3_event(second))
        world.delete(first)
        world.delete(second)

        assert world.process(s3_event(first), s3_event(second), receive_count=receive_count) == []
        assert world.outcomes() == {"first.png": ACCEPTED, "second.png": DUPLICATE}
        assert len(world.entries()) == 2


class TestStorage:
    def test_a_new_receipt_costs_one_get_and_one_put(self, world: World, calls: Calls) -> None:
        body = s3_event(world.put("lunch.png", PNG))

        world.process(body)

        assert calls.made == ["GetObject", "PutItem"]

    def test_clients_are_made_once(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[str] = []
        make_client = boto3.client

        def counted_client(service: Any, **kwargs: Any) -> Any:
            made.append(service)
            return make_client(service, **kwargs)

        monkeypatch.setattr(boto3, "client", counted_client)

        for key in ("a.png", "b.png"):
            world.process(s3_event(world.put(key, PNG)))

        assert sorted(made) == ["dynamodb", "s3"]

    @pytest.mark.parametrize("operation", ["GetObject", "PutItem"])
    def test_a_storage_error_in_the_middle_of_a_batch_fails_only_its_message(
        self, operation: str, world: World, calls: Calls
    ) -> None:
        keys = [f"{number}.png" for number in range(5)]
        bodies = [s3_event(world.put(key, PNG + key.encode())) for key in keys]

        def fail(name: str, params: dict[str, Any]) -> Exception | None:
            key = params["Key"] if name == "GetObject" else params["Item"]["key"]["S"]
            return timed_out() if name == operation and key == "2.png" else None

        calls.fail_before = fail

        assert world.process(*bodies) == ["m2"]
        assert world.outcomes() == dict.fromkeys(["0.png", "1.png", "3.png", "4.png"], ACCEPTED)

    def test_a_put_whose_answer_was_lost_is_one_entry_when_the_message_comes_back(
        self, world: World, calls: Calls
    ) -> None:
        body = s3_event(world.put("lunch.png", PNG))
        calls.fail_after = lambda name: timed_out() if name == "PutItem" else None
        assert world.process(body) == ["m0"]
        calls.fail_after = lambda _: None

        assert world.process(body, receive_count=2) == []
        assert [entry.outcome for entry in world.entries()] == [ACCEPTED]

    def test_when_everything_fails_every_message_is_reported(self, world: World, calls: Calls) -> None:
        calls.fail_before = lambda *_: timed_out()
        bodies = [s3_event(world.put(f"{number}.png", PNG)) for number in range(3)]

        assert world.process(*bodies) == ["m0", "m1", "m2"]

    def test_a_damaged_object_comes_back_without_an_entry(self, world: World) -> None:
        wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        made = world.put("lunch.png", PNG)

        def damage(parsed: dict[str, Any], **_: Any) -> None:
            parsed |= {"ChecksumSHA256": wrong, "ChecksumType": "FULL_OBJECT"}

        world.handle  # noqa: B018 - makes the clients
        processor = sys.modules["functions.processor.handler"]._processor
        processor._recorder._objects._client.meta.events.register("after-call.s3.GetObject", damage)

        assert world.process(s3_event(made)) == ["m0"]
        assert world.entries() == []


class TestConcurrency:
    def test_as_many_messages_as_there_are_workers_are_processed_at_the_same_time(
        self, world: World, calls: Calls
    ) -> None:
        bodies = [
            s3_event(world.put(f"{number}.png", PNG + bytes([number]))) for number in range(MAX_WORKERS)
        ]
        all_are_reading = threading.Barrier(MAX_WORKERS, timeout=30)

        def meet(name: str, _: dict[str, Any]) -> None:
            if name == "GetObject":
                all_are_reading.wait()

        calls.fail_before = meet

        assert world.process(*bodies) == []
        assert len(world.entries()) == MAX_WORKERS

    def test_a_batch_larger_than_the_number_of_workers_is_done_to_the_end(self, world: World) -> None:
        bodies = [s3_event(world.put(f"{n}.png", PNG + bytes([n]))) for n in range(2 * MAX_WORKERS + 1)]

        assert world.process(*bodies, GARBAGE) == [f"m{len(bodies)}"]
        assert len(world.entries()) == len(bodies)

    def test_nothing_is_kept_from_one_batch_to_the_next(self, world: World) -> None:
        assert world.process(GARBAGE) == ["m0"]
        assert world.process(s3_event(world.put("lunch.png", PNG))) == []


@pytest.mark.usefixtures("world")
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
    def test_an_event_that_is_no_batch_of_messages_raises(self, event: Any, world: World) -> None:
        with pytest.raises(UnreadableBatchError):
            world.handle(event, context())

    def test_one_message_that_could_not_be_named_keeps_the_whole_batch(self, world: World) -> None:
        batch = sqs_batch(s3_event(world.put("lunch.png", PNG)), GARBAGE)
        del batch["Records"][1]["messageId"]

        with pytest.raises(UnreadableBatchError, match=r"Records\[1\]\.messageId"):
            world.handle(batch, context())
        assert world.entries() == []

    @pytest.mark.parametrize("name", ["LEDGER_TABLE", "SERVICE_NAME", "STACK_NAME"])
    def test_wrong_settings_keep_the_whole_batch(
        self, name: str, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(name)

        with pytest.raises(EnvironmentVariablesError, match=f"{name} is not set"):
            world.process(S3_TEST_EVENT)


class TestLog:
    @pytest.fixture
    def lines(self, world: World, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
        """Delivers a batch, and returns the log lines that are written meanwhile."""

        def deliver(*bodies: str) -> list[dict[str, Any]]:
            capsys.readouterr()
            world.process(*bodies)
            lines = (json.loads(line) for line in capsys.readouterr().out.splitlines())
            return [line for line in lines if "_aws" not in line]

        return deliver

    def test_a_receipt_is_one_line_without_its_uploader(
        self, world: World, lines: Callable[..., list[dict[str, Any]]]
    ) -> None:
        made = world.put("lunch.png", PNG)

        (line,) = lines(s3_event(made))

        assert line["message"] == "receipt recorded"
        assert line["object_id"] == made.version.object_id
        assert (line["outcome"], line["size_bytes"]) == ("ACCEPTED", len(PNG))
        assert line["fingerprint"] == hashlib.sha256(PNG).hexdigest()
        assert line["duration_ms"] >= 0
        assert str(made.uploader.source_ip) not in json.dumps(line)

    def test_a_rejection_and_a_redelivery_say_so(
        self, world: World, lines: Callable[..., list[dict[str, Any]]]
    ) -> None:
        body = s3_event(world.put("lunch.txt", TEXT))

        (first,), (again,) = lines(body), lines(body)

        assert (first["outcome"], first["reason"]) == ("REJECTED", "unsupported_type")
        assert again["message"] == "receipt was recorded before"

    def test_an_expected_failure_is_one_line_with_its_reason_and_no_stack_trace(
        self, lines: Callable[..., list[dict[str, Any]]]
    ) -> None:
        (line,) = lines(GARBAGE)

        assert line["level"] == "WARNING"
        assert line["message_id"] == "m0"
        assert line["reason"] == "UnreadableMessageError: body is 'this is no event', but must be JSON"
        assert "exception" not in line

    def test_an_unexpected_failure_has_its_stack_trace(
        self, world: World, calls: Calls, lines: Callable[..., list[dict[str, Any]]]
    ) -> None:
        calls.fail_before = lambda *_: ZeroDivisionError("surprise")

        (line,) = lines(s3_event(world.put("lunch.png", PNG)))

        assert line["level"] == "ERROR"
        assert line["reason"] == "ZeroDivisionError: surprise"
        assert "Traceback" in line["exception"]

    def test_every_line_has_the_id_of_its_invocation(
        self, world: World, lines: Callable[..., list[dict[str, Any]]]
    ) -> None:
        written = lines(GARBAGE, s3_event(world.put("lunch.png", PNG)))

        assert [line["requestId"] for line in written] == [context().aws_request_id] * 2
