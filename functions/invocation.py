"""What Lambda tells a function about an invocation."""

from __future__ import annotations

from typing import Protocol


class LambdaContext(Protocol):
    """The part of Lambda's context object that the functions use.

    AWS Lambda Developer Guide, "Using the Lambda context object to retrieve Python function information".
    """

    @property
    def aws_request_id(self) -> str:
        """The invocation's id, as in Lambda's own log lines."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""
