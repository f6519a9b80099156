"""What Lambda's Python runtime writes for a log record when a function's log format is JSON."""

from __future__ import annotations

import io
import json
import logging
import time

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class LambdaLog(logging.Handler):
    """Writes records as JSON lines: the runtime's members, then those that were given as ``extra``.

    As in awslambdaric's ``JsonFormatter``. Loggers with handlers of their own write for themselves.
    """

    def __init__(self, target: io.StringIO, request_id: str) -> None:
        super().__init__()
        self._target = target
        self._request_id = request_id

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if logging.getLogger(record.name).handlers and record.name != "root":
            return
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self._request_id,
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        self._target.write(json.dumps(line, default=str) + "\n")
