"""What the reconciler checks, how often, and where it keeps how far it has come."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any, Final

EVERY_MINUTES: Final = 15
"""How often the reconciler is invoked. Each invocation takes one slice of a round, if a round is due."""

TIMEOUT_SECONDS: Final = 15 * 60
SLICE_SECONDS: Final = 10 * 60
"""The function's time-out, and how long a slice goes on. The rest is for the last call, and for sending and
saving what the slice has found."""

LEAST_AGE_SECONDS: Final = 60 * 60
"""How old an upload without an entry is at least before it is missing."""

BEGIN_WITH_AGE: Final = "begin_with_age_seconds"
"""The member of an event with which a person begins a round at once, and says how old an upload has to be to
be judged. The schedule's events don't have it."""

PROGRESS_FOLDER: Final = "reconciler/"
"""Where the progress is, in the bucket for access logs, which isn't watched and whose objects expire."""


class ConfigurationPart(StrEnum):
    """A part of the bucket's configuration, without which an upload gets no entry, or a wrong one."""

    NOTIFICATION = "notification"
    VERSIONING = "versioning"
    PUBLIC_ACCESS = "public_access"
    POLICY = "policy"


def policy_digest(policy: str) -> str:
    """Return the SHA-256 of what a policy says, however it is written. The order of lists says nothing."""
    return hashlib.sha256(_canonical(json.loads(policy)).encode()).hexdigest()


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{json.dumps(name)}:{_canonical(value[name])}" for name in sorted(value))
        return f"{{{','.join(members)}}}"
    # A list of one says the same as its item.
    items = sorted(map(_canonical, value)) if isinstance(value, list) else [json.dumps(value)]
    return items[0] if len(items) == 1 else f"[{','.join(items)}]"
