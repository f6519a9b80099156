"""Settings, args and resource options that the components of a stack share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.checks import KMS_KEY, UNIQUE, Checked, argument, between, each, matching, one_of, setting

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The periods that CloudWatch Logs allows (`PutRetentionPolicy`)."""

ALL_ALARMS, ESSENTIAL_ALARMS = "all", "essential"
RUNBOOK = "docs/operations.md"

A_COUNT = between(1, 1_000_000)


@dataclass(frozen=True, kw_only=True)
class DataSettings(Checked):
    """Data and logs."""

    protect_data: bool = setting(
        True, "Whether AWS and Pulumi refuse to delete the uploads, the ledger and the logs"
    )
    log_retention_days: int = setting(365, "How many days logs are kept", one_of(*LOG_RETENTION_DAYS))
    former_key_arns: Sequence[str] = setting(
        (),
        "The ARNs of KMS keys that this stack used before and still needs to read older data",
        each(KMS_KEY),
        UNIQUE,
    )


@dataclass(frozen=True, kw_only=True)
class AlarmSettings(Checked):
    """Alarms."""

    alarms: str = setting(
        ALL_ALARMS,
        'Which alarms to create: "all", or only the "essential" ones (for lost or stuck uploads, and for a '
        "failing API), which cost less",
        one_of(ALL_ALARMS, ESSENTIAL_ALARMS),
    )
    alarm_email: str = setting(
        "",
        "The e-mail address that gets the alarms, once its owner has confirmed it; empty for none",
        matching(
            r"([^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+)?", "empty, or an e-mail address, such as on-call@example.com"
        ),
    )
    runbook_url: str = setting(
        RUNBOOK,
        "The https URL of the runbook that alarms link to: a copy of docs/operations.md on a website",
        matching(
            rf"{re.escape(RUNBOOK)}|https://[^\s#]{{1,300}}",
            f"{RUNBOOK}, or the https URL of a copy of it, without #",
        ),
    )
    alarm_oldest_message_seconds: int = setting(
        1800,
        "How many seconds an upload may wait for its entry before the alarm goes off",
        # The queue keeps a message for four days.
        between(60, 4 * 24 * 60 * 60),
    )
    alarm_function_errors: int = setting(
        1, "How many errors of a function in five minutes set off the alarm", A_COUNT
    )
    alarm_api_errors: int = setting(
        1, "How many server errors (5xx) of the API in five minutes set off the alarm", A_COUNT
    )
    alarm_api_latency_milliseconds: int = setting(
        3000,
        "How many milliseconds the slowest 1 % of requests may take before the alarm goes off",
        # An HTTP API answers within 30 seconds, even if only to say that it has run out of time.
        between(1, 30_000),
    )
    alarm_table_throttles: int = setting(
        10, "How many throttled reads or writes in five minutes set off the alarm", A_COUNT
    )


@dataclass(frozen=True, kw_only=True)
class CommonArgs(DataSettings, AlarmSettings):
    """The args that all components of a stack share.

    `instance` is the stack's name with a suffix that no other stack in the account and region has. `layers`
    are the ARNs of layers with the libraries that the processor imports. `key_arn` is the customer's key,
    which encrypts all data; without it, AWS encrypts the data with its own keys. Without `alarm_topic_arn`,
    alarms only show in CloudWatch. `tags` go on every resource that can have tags.
    """

    instance: pulumi.Input[str] = field(default_factory=pulumi.get_stack)
    layers: Sequence[pulumi.Input[str]] = ()
    key_arn: pulumi.Input[str] | None = None
    alarm_topic_arn: pulumi.Input[str] | None = None
    alarm_function_throttles: int = argument(A_COUNT, default=1)
    alarm_timeout_percent: int = argument(between(1, 100), default=80)
    tags: Mapping[str, str] = field(default_factory=dict)


def protected(
    args: CommonArgs, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()
) -> pulumi.ResourceOptions:
    """Return the options of a resource that holds or guards data; `protect_data` keeps it from deletion.

    If only the data were protected, a `pulumi destroy` that stops at it would already have deleted its
    policies, its versioning and its encryption.
    """
    return pulumi.ResourceOptions(parent=parent, protect=args.protect_data, depends_on=list(depends_on))


def plain_name(text: str) -> str:
    """Replace the characters that physical names can't have: a stack's name can contain a dot."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)
