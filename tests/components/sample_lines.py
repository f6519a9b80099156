"""A line of each kind in the stack's logs, by log group, for the runbook's queries to find.

The functions write the functions' lines. Lambda's own lines have the form in the AWS Lambda Developer Guide,
"Lambda Telemetry API Event schema reference". At the level INFO, only the start and the report of each
invocation reach the log ("Log-level filtering"). The runtime's line about an error that a function raised is
that of `log_error` in AWS's runtime interface client for Python.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

from components.ledger_api import ACCESS_LOG_FORMAT
from functions.api.responses import respond
from functions.contract.entry import (
    Entry,
    ObjectVersion,
    Outcome,
    Reason,
    Upload,
    Uploader,
    format_time,
)
from functions.contract.metric_names import MISSING, UNSEALED_AGE
from functions.contract.reconciliation import ConfigurationPart
from functions.ledger.store import Recorded
from functions.log import begin_invocation, write_metrics
from functions.processor.invocation import Deadline
from functions.processor.metrics import ReceiptMetrics
from functions.processor.processor import Processor, log_entry
from functions.reconciler.progress import Round
from functions.reconciler.reconciliation import log_change, log_round
from functions.reconciler.slice import log_missing, log_unbacked
from functions.sealer.sealer import Malformed, log_late, log_malformed
from local.in_process.events import QUEUE_ARN, s3_event

FINGERPRINT = "FINGERPRINT"
"""These are the ids that the runbook has as examples."""
API_REQUEST_ID = "JKJaXmPLvHcESHA="
INVOCATION = "9a5b3c1e-0000-4000-8000-000000000000"

OTHER_INVOCATION = "11111111-0000-4000-8000-000000000000"
NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


def samples(group: str) -> dict[str, str]:
    """Return lines of a log group, by what they are about."""
    lines = {
        "processor": processor_lines,
        "reader": reader_lines,
        "reconciler": reconciler_lines,
        "sealer": sealer_lines,
        "api": access_lines,
    }
    return lines[group]()


def processor_lines() -> dict[str, str]:
    metrics = ReceiptMetrics(dimensions={"stack": "prod", "service": "processor"})
    metrics.add(recorded())
    in_time, too_late = Deadline(lambda: 60_000), Deadline(lambda: 10)
    return {
        "receipt": written(lambda: log_entry(recorded(FINGERPRINT), duration_ms=12.3)),
        "slow receipt": written(lambda: log_entry(recorded(), duration_ms=6000.1)),
        "rejected receipt": written(lambda: log_entry(recorded(reason=Reason.EMPTY), duration_ms=1.0)),
        "metrics": written(metrics.write),
        "unreadable message": written(lambda: fail(in_time, body="no event")),
        "message out of time": written(lambda: fail(too_late)),
        "message with a surprise": written(lambda: fail(in_time)),
        "error that was raised": raised("UnreadableEventError"),
        "start": platform("start", version="$LATEST"),
        "report": report("success"),
        "report of a cold start": report("success", initDurationMs=549.04),
        "report of a time-out": report("timeout"),
        "report of too little memory": report("error", error_type="Runtime.OutOfMemory"),
    }


def reader_lines() -> dict[str, str]:
    return {
        "failed request": written(lambda: fail_request(API_REQUEST_ID)),
        "another failed request": written(lambda: fail_request("OTHER="), OTHER_INVOCATION),
        "error that was raised": raised("Runtime.ImportModuleError", OTHER_INVOCATION),
        "start": platform("start", version="$LATEST"),
        "report": report("success"),
        "report of another invocation": report("success", invocation=OTHER_INVOCATION),
        "report of a cold start": report("success", invocation=OTHER_INVOCATION, initDurationMs=549.04),
    }


def reconciler_lines() -> dict[str, str]:
    done = Round(began_at=format_time(NOW), age_seconds=3600, queue_was_empty=True, may_send=True)
    return {
        "round": written(lambda: log_round(done, unbacked=1)),
        "missing upload": written(lambda: log_missing(recorded().entry.upload.version, format_time(NOW))),
        "unbacked receipt": written(lambda: log_unbacked(bytes(16))),
        "change": written(lambda: log_change(ConfigurationPart.POLICY, "no policy")),
        "metrics": written(lambda: write_metrics({"stack": "prod"}, {MISSING: 1})),
        "error that was raised": raised("ClientError"),
        "start": platform("start", version="$LATEST"),
        "report": report("success"),
    }


def sealer_lines() -> dict[str, str]:
    malformed = Malformed(key=f"{FINGERPRINT}/RECEIPT", reason="KeyError('outcome')")
    return {
        "late entries": written(lambda: log_late("swept_soon", ["2026-11-26T09:00:00.000000Z#1a2b"])),
        "item that can't be sealed": written(lambda: log_malformed(malformed)),
        "metrics": written(lambda: write_metrics({"stack": "prod"}, {UNSEALED_AGE: 0})),
        "error that was raised": raised("LogIntegrityError"),
        "start": platform("start", version="$LATEST"),
        "report": report("success"),
    }


def access_lines() -> dict[str, str]:
    """The API's access log: each member is text, whatever it says, and "-" where there is nothing to say."""
    return {
        "answer": request("200", 12),
        "slow answer": request("200", 3001),
        "answer in three seconds": request("200", 3000),
        "caller's mistake": request("403", 5),
        "error of the function": request("500", 40),
        "function not available": request("503", 29_000),
    }


def written(write: Callable[[], object], invocation: str = INVOCATION) -> str:
    """Return the one line that a function writes meanwhile, as it does in an invocation."""
    begin_invocation(invocation)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        write()
    (line,) = out.getvalue().splitlines()
    return line


def recorded(fingerprint: str = "0" * 64, reason: Reason | None = None) -> Recorded:
    version = ObjectVersion(bucket="uploads", key="lunch.png", version_id="v1")
    entry = Entry(
        outcome=Outcome.REJECTED if reason else Outcome.ACCEPTED,
        upload=Upload(version=version, uploaded_at=NOW, uploader=Uploader(principal=None, source_ip=None)),
        recorded_at=NOW,
        fingerprint=fingerprint,
        size_bytes=12_345,
        media_type="image/png",
        reason=reason,
    )
    return Recorded(entry=entry, is_new=True)


def fail(deadline: Deadline, body: str | None = None) -> None:
    """Have the processor fail on a message: on its body, or else on the first upload in it."""
    nothing_to_record_with: Any = None
    message = {
        "messageId": "m1",
        "body": body or s3_event(recorded().entry.upload),
        "eventSourceARN": QUEUE_ARN,
    }
    Processor(nothing_to_record_with, QUEUE_ARN, dimensions={}).process({"Records": [message]}, deadline)


def fail_request(request_id: str) -> None:
    def surprise(_request: object) -> NoReturn:
        raise ZeroDivisionError("surprise")

    route = "GET /receipts"
    respond({route: surprise}, {"routeKey": route, "requestContext": {"requestId": request_id}})


def raised(error_type: str, invocation: str = INVOCATION) -> str:
    return json.dumps(
        {
            "timestamp": "2026-11-26T09:00:00Z",
            "level": "ERROR",
            "errorMessage": "what went wrong",
            "errorType": error_type,
            "requestId": invocation,
            "stackTrace": ['  File "/var/task/functions/reader/handler.py", line 1, in handle\n'],
        }
    )


def platform(kind: str, invocation: str = INVOCATION, **record: Any) -> str:
    return json.dumps(
        {
            "time": "2026-11-26T09:00:00.000Z",
            "type": f"platform.{kind}",
            "record": {"requestId": invocation, **record},
        }
    )


def report(status: str, invocation: str = INVOCATION, error_type: str | None = None, **metrics: float) -> str:
    measured = {"durationMs": 101.51, "billedDurationMs": 102, "memorySizeMB": 512, "maxMemoryUsedMB": 94}
    error = {"errorType": error_type} if error_type else {}
    return platform("report", invocation, metrics={**measured, **metrics}, status=status, **error)


def request(status: str, milliseconds: int) -> str:
    """A line in the format that the stage has, with its variables filled in."""
    values = {
        "$context.requestTime": "26/Nov/2026:09:00:00 +0000",
        "$context.routeKey": "GET /receipts",
        "$context.status": status,
        "$context.responseLatency": str(milliseconds),
        "$context.integrationLatency": str(max(milliseconds - 2, 0)),
    }
    members = json.loads(ACCESS_LOG_FORMAT)
    return json.dumps({name: values.get(variable, "-") for name, variable in members.items()})
