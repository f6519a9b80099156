"""Settings, args and resource options that the components of a stack share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.alarms import AlarmArgs
from components.validation import KMS_KEY, UNIQUE, Checked, each, one_of, setting

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The periods that CloudWatch Logs allows (`PutRetentionPolicy`)."""


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
class StackArgs(DataSettings, AlarmArgs):
    """The args that all components of a stack share.

    `instance` is the stack's name with a suffix that no other stack in the account and region has. `layers`
    are the ARNs of layers with the libraries that the processor imports. `key_arn` is the customer's key,
    which encrypts all data; without it, AWS encrypts the data with its own keys. `tags` go on every resource
    that can have tags.
    """

    instance: pulumi.Input[str]
    layers: Sequence[pulumi.Input[str]]
    key_arn: pulumi.Input[str] | None


def protected(
    args: StackArgs, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()
) -> pulumi.ResourceOptions:
    """Return the options of a resource that holds or guards data; `protect_data` keeps it from deletion.

    If only the data were protected, a `pulumi destroy` that stops at it would already have deleted its
    policies, its versioning and its encryption.
    """
    return pulumi.ResourceOptions(parent=parent, protect=args.protect_data, depends_on=list(depends_on))


def plain_name(text: str) -> str:
    """Replace the characters that physical names can't have: a stack's name can contain a dot."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)
