"""The functions' log: one JSON object per line, on stdout. Lambda passes the lines on as they are.

`timestamp`, `level`, `message` and `requestId` have the names that Lambda's own formatter for Python uses. So
do levels: a line says WARNING or CRITICAL, and a filter would be set to WARN or FATAL (AWS Lambda Developer
Guide, "Log-level filtering"). No filter is set. The rest of a line is what was given as ``extra``.

Metrics are lines of another form, from which CloudWatch reads them (CloudWatch User Guide, "Specification:
Embedded metric format").
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from functions.contract.metric_names import BYTES, NAMESPACE, ROUND_AGE, SECONDS, UNSEALED_AGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNITS: Final = {BYTES: "Bytes", SECONDS: "Seconds", ROUND_AGE: "Seconds", UNSEALED_AGE: "Seconds"}
"""The units of the metrics that aren't counts."""

MAX_TRACE_CHARACTERS: Final = 6_000
"""How much of a stack trace a line keeps: its end, which says what happened."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({})))


class JsonFormatter(logging.Formatter):
    """Formats records as JSON. ``aws_request_id`` is that of the invocation; there is one at a time."""

    aws_request_id: str | None = None

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line. An exception is part of it, with its stack trace."""
        written = datetime.fromtimestamp(record.created, UTC)
        line = {
            "timestamp": written.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage(),
            "requestId": self.aws_request_id,
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-MAX_TRACE_CHARACTERS:]
        present = {name: value for name, value in line.items() if value is not None}
        return json.dumps(present, separators=(",", ":"), default=str)


class StdoutHandler(logging.Handler):
    """Writes each record to the stdout of that moment, which may have been replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line. If that fails, say so on stderr: no function fails because of its log."""
        try:
            sys.stdout.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001
            self.handleError(record)


_formatter = JsonFormatter()
_handler = StdoutHandler()
_handler.setFormatter(_formatter)

logger = logging.getLogger("bill-e")
logger.setLevel(logging.INFO)
logger.addHandler(_handler)
logger.propagate = False  # or Lambda's own handler, at the root, would write every line again


class LambdaContext(Protocol):
    """The part of Lambda's context object that the functions use.

    AWS Lambda Developer Guide, "Using the Lambda context object to retrieve Python function information".
    """

    @property
    def aws_request_id(self) -> str:
        """The invocation's id, as in Lambda's own log lines."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""


def begin_invocation(aws_request_id: str) -> None:
    """Write the id of this invocation into every line from now on."""
    _formatter.aws_request_id = aws_request_id


def write_metrics(dimensions: Mapping[str, str], values: Mapping[str, float | Sequence[float]]) -> None:
    """Write one line with the values of metrics to stdout. A metric can have several values in a line.

    The line has these ``dimensions`` and no others, so nothing about a receipt or its uploader.
    """
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": UNITS.get(name, "Count")} for name in values],
    }
    metadata = {"Timestamp": round(time.time() * 1000), "CloudWatchMetrics": [directive]}
    line = json.dumps({"_aws": metadata, **dimensions, **values}, separators=(",", ":"))
    sys.stdout.write(f"{line}\n")
