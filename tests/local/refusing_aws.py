"""AWS clients that refuse one call, to see what a creation leaves behind when it is cut short."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from botocore.awsrequest import AWSResponse, HTTPHeaders

from local.aws import Aws

REFUSAL = "refused by the test"


@dataclass(kw_only=True)
class Countdown:
    """How many calls are left up to the one that is refused."""

    calls: int = 0


@dataclass(frozen=True, kw_only=True)
class RefusingAws(Aws):
    """AWS as one principal sees it. The call that is refused is ``countdown.calls`` calls away.

    All services count together; every call after the refused one goes through.
    """

    countdown: Countdown = field(default_factory=Countdown)

    @classmethod
    def like(cls, aws: Aws, calls: int = 0) -> RefusingAws:
        """Return the same AWS as ``aws``, which refuses the call of this number; the first call is 1."""
        settings = {one.name: getattr(aws, one.name) for one in fields(Aws) if one.init}
        return cls(**settings, countdown=Countdown(calls=calls))

    def _make(self, service: str) -> Any:
        client = super()._make(service)
        client.meta.events.register("before-call", self._count)
        return client

    def _count(self, **_: object) -> tuple[AWSResponse, dict[str, Any]] | None:
        self.countdown.calls -= 1
        if self.countdown.calls != 0:
            return None
        answer = AWSResponse("", 403, HTTPHeaders(), None)
        return answer, {"Error": {"Code": "AccessDenied", "Message": REFUSAL}, "ResponseMetadata": {}}
