"""The processor's metrics, in CloudWatch's format."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.contract.entry import Entry, Outcome, Reason
from functions.contract.metric_names import BYTES, OUTCOMES, REASONS, SECONDS
from functions.ledger.store import Recorded
from functions.processor import processor
from functions.processor.invocation import process_batch
from functions.processor.metrics import ReceiptMetrics
from local.in_process.events import s3_event
from local.whole_files import png
from tests.functions import examples
from tests.functions.examples import PNG, TEXT, upload

if TYPE_CHECKING:
    from tests.functions.account import Account

GARBAGE = "this is no event"
MAX_DIMENSION_SETS, MAX_METRICS, MAX_VALUES = 30, 100, 100
"""CloudWatch User Guide, "Specification: Embedded metric format"."""

UPLOAD = upload()


def entry(**changes: Any) -> Entry:
    late = UPLOAD.uploaded_at + timedelta(seconds=1.5)
    return examples.entry("lunch.png", **{"recorded_at": late, "upload": UPLOAD, **changes})


class TestLines:
    @pytest.fixture(autouse=True)
    def output(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def lines(self, *entries: Entry) -> list[dict[str, Any]]:
        """Measure new entries, and return what is written about them."""
        metrics = ReceiptMetrics(dimensions={"stack": "prod", "service": "processor"})
        for each in entries:
            metrics.add(Recorded(entry=each, is_new=True))
        metrics.write()
        return [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]

    def line(self, *entries: Entry) -> dict[str, Any]:
        (only,) = self.lines(*entries)
        return only

    def test_a_line_is_in_the_embedded_metric_format(self) -> None:
        before = time.time_ns() // 1_000_000
        line = self.line(entry(size_bytes=12))
        after = time.time_ns() // 1_000_000

        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert isinstance(line["_aws"]["Timestamp"], int)
        assert before <= line["_aws"]["Timestamp"] <= after + 1
        assert directive["Namespace"] == "Bill-E"
        assert [set(dimensions) for dimensions in directive["Dimensions"]] == [{"service", "stack"}]
        assert (line["service"], line["stack"]) == ("processor", "prod")
        assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
            "ReceiptsAccepted": "Count",
            "ReceiptBytes": "Bytes",
            "SecondsToEntry": "Seconds",
        }
        assert (line["ReceiptsAccepted"], line["ReceiptBytes"], line["SecondsToEntry"]) == (1, [12], [1.5])

    @pytest.mark.parametrize("outcome", Outcome)
    def test_every_outcome_has_a_metric(self, outcome: Outcome) -> None:
        line = self.line(entry(outcome=outcome))

        assert [name for name in OUTCOMES.values() if name in line] == [f"Receipts{outcome.title()}"]

    @pytest.mark.parametrize("reason", Reason)
    def test_every_reason_has_a_metric_as_well_as_the_outcome(self, reason: Reason) -> None:
        line = self.line(entry(outcome=Outcome.REJECTED, reason=reason))

        assert line["ReceiptsRejected"] == line[REASONS[reason]] == 1
        assert len([name for name in REASONS.values() if name in line]) == 1

    def test_an_unknown_size_has_no_value(self) -> None:
        assert self.line(entry(size_bytes=None), entry(size_bytes=0))[BYTES] == [0]

    def test_seconds_are_never_negative_even_if_the_clock_of_s3_is_ahead(self) -> None:
        assert self.line(entry(recorded_at=UPLOAD.uploaded_at - timedelta(seconds=2)))[SECONDS] == [0.0]

    @pytest.mark.parametrize("count", [100, 101, 1000])
    def test_a_large_batch_is_counted_completely_in_lines_that_cloudwatch_accepts(self, count: int) -> None:
        lines = self.lines(*[entry(size_bytes=n) for n in range(count)])

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

    def test_a_batch_that_fills_its_last_line_is_counted_once(self) -> None:
        half = MAX_VALUES // 2
        unread = entry(size_bytes=None)
        missing = entry(size_bytes=None, outcome=Outcome.REJECTED, reason=Reason.OBJECT_MISSING)

        assert len(self.line(*[unread] * half, *[missing] * half)[SECONDS]) == MAX_VALUES


class TestBatches:
    def test_dimensions_are_those_of_the_deployment(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STACK_NAME", "prod")
        monkeypatch.setenv("SERVICE_NAME", "processor")

        assert account.process(s3_event(account.put("lunch.png", PNG))) == []

        assert [(line["service"], line["stack"]) for line in account.metrics()] == [("processor", "prod")]

    def test_a_batch_is_one_line_with_what_became_of_each_receipt(self, account: Account) -> None:
        two, one = [account.put("lunch.png", PNG), account.put("lunch.txt", TEXT)], account.put("e.png", b"")

        assert account.process(s3_event(*two), s3_event(one)) == []

        (line,) = account.metrics()
        assert set(line) == {
            *("_aws", "service", "stack", "ReceiptsAccepted", "ReceiptsRejected", BYTES, SECONDS),
            *("RejectedUnsupportedType", "RejectedEmpty"),
        }
        assert (line["ReceiptsAccepted"], line["ReceiptsRejected"]) == (1, 2)
        assert line["RejectedUnsupportedType"] == line["RejectedEmpty"] == 1
        assert sum(line[BYTES]) == len(PNG) + len(TEXT)
        assert all(seconds >= 60 for seconds in line[SECONDS]), "the uploads were a minute ago"

    def test_a_redelivered_receipt_is_not_counted_again(self, account: Account) -> None:
        body = s3_event(account.put("lunch.png", PNG))

        assert account.process(body) == []
        assert len(account.metrics()) == 1
        assert account.process(body) == []
        assert account.metrics() == []

    def test_receipts_beside_a_message_that_fails_are_counted(self, account: Account) -> None:
        assert account.process(GARBAGE, s3_event(account.put("lunch.png", PNG))) == ["m0"]

        (line,) = account.metrics()
        assert line["ReceiptsAccepted"] == 1

    def test_receipts_are_counted_even_if_the_batch_as_a_whole_fails_after_them(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail_at_the_end(*args: Any) -> None:
            process_batch(*args)
            raise RuntimeError("surprise")

        monkeypatch.setattr(processor, "process_batch", fail_at_the_end)
        with pytest.raises(RuntimeError, match="surprise"):
            account.process(s3_event(account.put("lunch.png", PNG)))

        (line,) = account.metrics()
        assert line["ReceiptsAccepted"] == 1

    def test_a_batch_without_new_receipts_writes_no_metrics(self, account: Account) -> None:
        assert account.process(GARBAGE) == ["m0"]
        assert account.metrics() == []

    def test_counts_of_one_batch_are_not_in_the_next(self, account: Account) -> None:
        for key in ("a.png", "b.png"):
            account.process(s3_event(account.put(key, png(key.encode()))))
            (line,) = account.metrics()
            assert line["ReceiptsAccepted"] == 1
