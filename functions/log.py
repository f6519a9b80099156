"""The functions' log: one JSON object a line, on stdout, where Lambda takes it from as it is.

`timestamp`, `level`, `message` and `requestId` are called as Lambda's own formatter for Python calls them.
Levels have Python's names, as there: WARNING and CRITICAL, where a filter is set to WARN or FATAL (AWS Lambda
Developer Guide, "Log-level filtering"). None is set. The rest of a line is what the caller gave as ``extra``.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({})))


class JsonFormatter(logging.Formatter):
    """Formats records as JSON. ``aws_request_id`` is the invocation's, of which there is one at a time."""

    aws_request_id: str | None = None

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line; an exception is in it with its stack trace."""
        written = datetime.fromtimestamp(record.created, UTC)
        line = {
            "timestamp": written.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage(),
            "requestId": self.aws_request_id,
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        present = {name: value for name, value in line.items() if value is not None}
        return json.dumps(present, separators=(",", ":"), default=str)


class StdoutHandler(logging.Handler):
    """Writes each record to whatever stdout is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or tell stderr why not: what a function does never fails for its log."""
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
logger.propagate = False  # Lambda's own handler, at the root, would write every line again


def begin_invocation(aws_request_id: str) -> None:
    """Have the lines from here on carry the id that Lambda gave to the invocation."""
    _formatter.aws_request_id = aws_request_id
