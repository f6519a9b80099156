from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from functions import log
from functions.contract.entry import parse_time
from functions.log import StdoutHandler, begin_invocation, logger

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "9a5b3c1e-0000-4000-8000-000000000000"


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, Any]]:
    """The one line that was logged."""

    def only() -> dict[str, Any]:
        (text,) = capsys.readouterr().out.splitlines()
        parsed = json.loads(text)
        assert isinstance(parsed, dict)
        return parsed

    return only


@pytest.fixture(autouse=True)
def no_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    """No invocation has begun before a test, and none outlasts it."""
    monkeypatch.setattr(log._formatter, "aws_request_id", None)


def test_a_line_has_time_level_message_invocation_and_extra_fields(line: Callable[[], Any]) -> None:
    before = datetime.now(UTC)
    begin_invocation(ID)
    logger.warning("message %s failed", 7, extra={"message_id": "m7", "reason": None})
    after = datetime.now(UTC)

    written = line()

    # The timestamp is in whole milliseconds.
    assert before - timedelta(milliseconds=1) < parse_time(written.pop("timestamp")) <= after
    assert written == {
        "level": "WARNING",
        "message": "message 7 failed",
        "requestId": ID,
        "message_id": "m7",
    }


def test_a_line_outside_of_an_invocation_has_no_id(line: Callable[[], Any]) -> None:
    logger.info("the function is being loaded")

    assert set(line()) == {"timestamp", "level", "message"}


def test_a_stack_trace_stays_in_its_line(line: Callable[[], Any]) -> None:
    try:
        surprise()
    except ZeroDivisionError:
        logger.exception("failed")

    trace = line()["exception"]
    assert trace.startswith("Traceback (most recent call last):\n")
    assert "in surprise\n" in trace
    assert trace.endswith("\nZeroDivisionError: surprise\nof two lines")


def surprise() -> NoReturn:
    raise ZeroDivisionError("surprise\nof two lines")


@pytest.mark.parametrize("value", ["\ud83e", "\x1b[2J\r\n", datetime(2026, 11, 30, tzinfo=UTC), {1, 2}])
def test_any_value_is_written_in_ascii(capsys: pytest.CaptureFixture[str], value: object) -> None:
    logger.info("odd", extra={"value": value})

    out = capsys.readouterr().out
    assert out.isascii()
    assert out.rstrip("\n").isprintable()
    assert "value" in json.loads(out)


def test_a_line_that_cannot_be_written_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.makeLogRecord({"msg": "too few %s %s", "args": (1,)})

    StdoutHandler().handle(record)

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "too few" in captured.err


def test_a_handler_at_the_root_does_not_write_every_line_again(line: Callable[[], Any]) -> None:
    """Lambda's runtime has a handler there."""
    at_the_root = io.StringIO()
    handler = logging.StreamHandler(at_the_root)
    logging.getLogger().addHandler(handler)
    try:
        logger.info("once")
        logger.debug("never")
    finally:
        logging.getLogger().removeHandler(handler)

    assert line()["message"] == "once"
    assert at_the_root.getvalue() == ""


def test_a_long_stack_trace_keeps_its_end(line: Callable[[], Any]) -> None:
    logger.error("failed", exc_info=ValueError(f"{'x' * 10_000} the end"))

    trace = line()["exception"]
    assert len(trace) == 6_000
    assert trace.endswith("x the end")
