"""What the processor writes about its work: metrics in CloudWatch's format, log lines, and nothing else."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.contract.entry import Entry, Outcome, Reason, Upload
from functions.contract.metrics import BYTES, OUTCOMES, REASONS, SECONDS
from functions.ledger.store import Recorded
from functions.processor import processor
from functions.processor.batch import process_batch
from functions.processor.metrics import ReceiptMetrics
from tests.functions.examples import PNG, TEXT, context, entry_point, failed, s3_event, sqs_batch, upload

if TYPE_CHECKING:
    from tests.functions.conftest import LedgerTable, UploadsBucket

GARBAGE = "this is no event"
MAX_BYTES = 1000
MAX_DIMENSION_SETS, MAX_METRICS, MAX_VALUES = 30, 100, 100
"""CloudWatch User Guide, "Specification: Embedded metric format"."""

Written = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def put(
    uploads_bucket: UploadsBucket, ledger_table: LedgerTable, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, bytes], Upload]:
    """Uploads to the bucket of a processor that is ready."""
    for name, value in {
        "LEDGER_TABLE": ledger_table.name,
        "LEDGER_SHARDS": "4",
        "MAX_RECEIPT_BYTES": str(MAX_BYTES),
        "ACCEPTED_TYPES": "application/pdf,image/png",
    }.items():
        monkeypatch.setenv(name, value)

    def put_object(key: str, data: bytes) -> Upload:
        stored = uploads_bucket.client.put_object(Bucket=uploads_bucket.name, Key=key, Body=data)
        return upload(key=key, version_id=stored["VersionId"])

    return put_object


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Written:
    """The metric lines since it was asked last."""

    def lines() -> list[dict[str, Any]]:
        written = (json.loads(line) for line in capsys.readouterr().out.splitlines())
        return [line for line in written if "_aws" in line]

    return lines


def process(*bodies: str) -> list[str]:
    return failed(entry_point("processor")(sqs_batch(*bodies), context()))


def entry(**changes: Any) -> Entry:
    made = upload()
    fields: dict[str, Any] = {
        "outcome": Outcome.ACCEPTED,
        "upload": made,
        "recorded_at": made.uploaded_at + timedelta(seconds=1.5),
        "fingerprint": "0" * 64,
        "size_bytes": 12,
        "media_type": "image/png",
    }
    return Entry(**(fields | changes))


def measured(*entries: Entry) -> None:
    metrics = ReceiptMetrics(dimensions={"stack": "prod", "service": "processor"})
    for each in entries:
        metrics.add(Recorded(entry=each, is_new=True))
    metrics.write()


def test_a_line_is_in_the_embedded_metric_format(written: Written) -> None:
    measured(entry())

    (line,) = written()
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert isinstance(line["_aws"]["Timestamp"], int)
    assert abs(line["_aws"]["Timestamp"] - time.time() * 1000) < 60_000
    assert directive["Namespace"] == "Bill-E"
    assert [set(dimensions) for dimensions in directive["Dimensions"]] == [{"service", "stack"}]
    assert all(isinstance(line[name], str) for dimensions in directive["Dimensions"] for name in dimensions)
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "ReceiptsAccepted": "Count",
        "ReceiptBytes": "Bytes",
        "SecondsToEntry": "Seconds",
    }
    assert (line["ReceiptsAccepted"], line["ReceiptBytes"], line["SecondsToEntry"]) == (1, [12], [1.5])


def test_dimensions_are_those_of_the_deployment(
    put: Callable[[str, bytes], Upload], written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK_NAME", "prod")
    monkeypatch.setenv("SERVICE_NAME", "processor")

    assert process(s3_event(put("lunch.png", PNG))) == []

    assert [(line["service"], line["stack"]) for line in written()] == [("processor", "prod")]


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_metric(outcome: Outcome, written: Written) -> None:
    measured(entry(outcome=outcome))

    (line,) = written()
    assert [name for name in OUTCOMES.values() if name in line] == [f"Receipts{outcome.title()}"]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_metric_beside_that_of_the_outcome(reason: Reason, written: Written) -> None:
    measured(entry(outcome=Outcome.REJECTED, reason=reason))

    (line,) = written()
    assert line["ReceiptsRejected"] == line[REASONS[reason]] == 1
    assert len([name for name in REASONS.values() if name in line]) == 1


def test_a_size_that_is_not_known_is_no_value(written: Written) -> None:
    measured(entry(size_bytes=None), entry(size_bytes=0))

    (line,) = written()
    assert line[BYTES] == [0]


def test_a_clock_of_s3_that_is_ahead_gives_no_negative_seconds(written: Written) -> None:
    made = upload()
    measured(entry(upload=made, recorded_at=made.uploaded_at - timedelta(seconds=2)))

    (line,) = written()
    assert line[SECONDS] == [0.0]


@pytest.mark.parametrize("count", [100, 101, 1000])
def test_a_large_batch_is_counted_whole_in_lines_that_cloudwatch_accepts(
    count: int, written: Written
) -> None:
    measured(*[entry(size_bytes=n) for n in range(count)])

    lines = written()
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert len(directive["Dimensions"]) <= MAX_DIMENSION_SETS
        assert len(directive["Metrics"]) <= MAX_METRICS
        values = [line[metric["Name"]] for metric in directive["Metrics"]]
        assert all(len(each) <= MAX_VALUES for each in values if isinstance(each, list))
        assert {"service", "stack"} <= set(line)
    assert sum(line["ReceiptsAccepted"] for line in lines) == count
    for name in (BYTES, SECONDS):
        assert sum(len(line[name]) for line in lines) == count
    assert sum(sum(line[BYTES]) for line in lines) == sum(range(count))


def test_a_batch_that_fills_its_last_line_to_the_end_is_counted_once(written: Written) -> None:
    half = MAX_VALUES // 2
    measured(
        *[entry(size_bytes=None)] * half,
        *[entry(size_bytes=None, outcome=Outcome.REJECTED, reason=Reason.OBJECT_MISSING)] * half,
    )

    (line,) = written()
    assert len(line[SECONDS]) == MAX_VALUES


def test_a_batch_is_one_line_with_what_became_of_each_receipt(
    put: Callable[[str, bytes], Upload], written: Written
) -> None:
    assert process(s3_event(put("lunch.png", PNG), put("lunch.txt", TEXT)), s3_event(put("e.png", b""))) == []

    (line,) = written()
    assert line["ReceiptsAccepted"] == 1
    assert line["ReceiptsRejected"] == 2
    assert line["RejectedUnsupportedType"] == line["RejectedEmpty"] == 1
    assert sum(line[BYTES]) == len(PNG) + len(TEXT)
    assert all(60 <= seconds < 600 for seconds in line[SECONDS]), "the uploads were a minute ago"


def test_a_redelivered_receipt_is_not_counted_again(
    put: Callable[[str, bytes], Upload], written: Written
) -> None:
    body = s3_event(put("lunch.png", PNG))

    assert process(body) == []
    assert len(written()) == 1
    assert process(body) == []
    assert written() == []


def test_receipts_beside_a_message_that_fails_are_counted(
    put: Callable[[str, bytes], Upload], written: Written
) -> None:
    assert process(GARBAGE, s3_event(put("lunch.png", PNG))) == ["m0"]

    (line,) = written()
    assert line["ReceiptsAccepted"] == 1


def test_receipts_are_counted_where_the_batch_as_a_whole_fails_after_them(
    put: Callable[[str, bytes], Upload], written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at_the_end(*args: Any) -> None:
        process_batch(*args)
        raise RuntimeError("surprise")

    monkeypatch.setattr(processor, "process_batch", fail_at_the_end)
    with pytest.raises(RuntimeError, match="surprise"):
        process(s3_event(put("lunch.png", PNG)))

    (line,) = written()
    assert line["ReceiptsAccepted"] == 1


@pytest.mark.usefixtures("put")
def test_a_batch_without_new_receipts_writes_no_metrics(written: Written) -> None:
    assert process(GARBAGE) == ["m0"]
    assert written() == []


def test_counts_of_one_batch_are_not_in_the_next(
    put: Callable[[str, bytes], Upload], written: Written
) -> None:
    for key in ("a.png", "b.png"):
        process(s3_event(put(key, PNG + key.encode())))
        (line,) = written()
        assert line["ReceiptsAccepted"] == 1


class TestPrivacy:
    """Logs and metrics hold nothing of a receipt, and of people only what the ledger says about an entry."""

    CONTENT = b"IBAN DE02120300000000202051 Erika Mustermann"
    KEY = "erika.mustermann@example.com/Arztrechnung.png"

    @pytest.fixture
    def output(self, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
        """Delivers a batch, and returns all that the function writes meanwhile: log lines and metrics."""

        def deliver(*bodies: str) -> str:
            process(*bodies)
            captured = capsys.readouterr()
            return captured.out + captured.err

        return deliver

    def test_no_line_has_content_or_name_of_a_receipt_or_its_uploader(
        self, put: Callable[[str, bytes], Upload], output: Callable[..., str]
    ) -> None:
        made = put(self.KEY, PNG + self.CONTENT)
        refused = put(f"{self.KEY}.txt", self.CONTENT)
        copy = put(f"copy of {self.KEY}", PNG + self.CONTENT)
        body = s3_event(made, refused, copy)

        text = output(body, GARBAGE, body)

        assert made.version.object_id in text, "a line must tell which object it is about"
        for secret in (*self.CONTENT.decode().split(), "erika", "Arztrechnung"):
            assert secret not in text
        for personal in (made.uploader.principal, made.uploader.source_ip):
            assert personal
            assert personal not in text

    def test_a_line_of_a_receipt_has_these_fields_only(
        self, put: Callable[[str, bytes], Upload], output: Callable[..., str]
    ) -> None:
        made = put(self.KEY, PNG)

        receipt, metrics = (json.loads(line) for line in output(s3_event(made)).splitlines())

        of_the_entry = {"object_id", "outcome", "fingerprint", "size_bytes", "media_type"}
        of_every_line = {"level", "message", "timestamp", "requestId"}
        assert set(receipt) == of_every_line | of_the_entry | {"duration_ms"}
        assert receipt["fingerprint"] == hashlib.sha256(PNG).hexdigest()
        assert set(metrics) == {"_aws", "service", "stack", "ReceiptsAccepted", BYTES, SECONDS}
