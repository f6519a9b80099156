"""The log of operations: what operators did to a stack, in a log group that they can only add to.

A line is written before what it is about is done, and another one after. So if a command is killed in
between, the log says what it was about to do.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cli.errors import BillEError, explained
from cli.operator.resources import StackResources
from functions.contract.entry import format_time

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

Line = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class OperationsLog:
    """The stream of one run of a command. `operator` is the ARN of whoever runs it, as AWS says."""

    logs: CloudWatchLogsClient
    group: str
    stream: str
    operator: str

    def write(self, message: str, line: Line) -> None:
        """Write one line; raise BillEError unless it is kept. It may have 256 KiB."""
        now = datetime.now(UTC)
        text = json.dumps(
            {"time": format_time(now), "message": message, "operator": self.operator, **line},
            ensure_ascii=False,
        )
        with explained(
            f"writing to the log of operations {self.group} (logs:PutLogEvents)", granted_by="operator_policy"
        ):
            answer = self.logs.put_log_events(
                logGroupName=self.group,
                logStreamName=self.stream,
                logEvents=[{"timestamp": int(now.timestamp() * 1000), "message": text}],
            )
        if answer.get("rejectedLogEventsInfo"):
            raise BillEError(
                f"the log of operations {self.group} refused a line: this machine's clock is off by hours"
            )


def open_operations_log(resources: StackResources, command: str) -> OperationsLog:
    """Make a stream for this run of a command. Raise BillEError if the stack has no log of operations."""
    if resources.operations_log is None:
        raise BillEError(
            "the stack has no log of operations (no member 'operations' in its output 'log_groups'), without "
            "which this command changes nothing: deploy the current program"
        )
    stream = f"{datetime.now(UTC):%Y/%m/%d}/{command}/{uuid.uuid4()}"
    log = OperationsLog(
        logs=resources.logs,
        group=resources.operations_log,
        stream=stream,
        operator=resources.caller_arn(),
    )
    granted_by = None if command == "resubmit" else "operator_policy"  # That one is for administrators.
    with explained(
        f"adding to the log of operations {log.group} (logs:CreateLogStream)", granted_by=granted_by
    ):
        resources.logs.create_log_stream(logGroupName=log.group, logStreamName=stream)
    return log
