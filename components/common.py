"""What the components of a stack have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.alarms import AlarmArgs
from components.checks import kms_key, one_of, refuse, unique

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The days that CloudWatch Logs knows (`PutRetentionPolicy`)."""


@dataclass(frozen=True, kw_only=True)
class CommonArgs:
    """What every component of a stack is given alike.

    `instance` names the stack where its own name isn't enough: unlike that, no other stack in the account and
    region has it.
    `protect` guards what holds data, and what guards the data, against deletion in AWS and in Pulumi.
    `layers` are ARNs with what the processor imports beyond the runtime. `key_arn` names the customer's key
    that encrypts what is kept; without it, keys of AWS's own do. `former_key_arns` name keys that did so
    before, and that still may decrypt. `alarms` says when alarms go off and whom they tell. `tags` go on
    every resource that can have some.
    """

    log_retention_days: int
    protect: bool
    layers: Sequence[pulumi.Input[str]] = ()
    instance: pulumi.Input[str] = field(default_factory=pulumi.get_stack)
    key_arn: pulumi.Input[str] | None = None
    former_key_arns: Sequence[str] = ()
    alarms: AlarmArgs = field(default_factory=AlarmArgs)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse(
            "CommonArgs",
            one_of("log_retention_days", self.log_retention_days, LOG_RETENTION_DAYS),
            *(kms_key("former_key_arns", arn) for arn in self.former_key_arns),
            unique("former_key_arns", self.former_key_arns),
        )


def protected(
    args: CommonArgs, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()
) -> pulumi.ResourceOptions:
    """Return the options of a resource that holds data or guards it.

    Pulumi deletes neither while `protect` is on. Otherwise a `pulumi destroy` that gets as far as its
    unprotected resources would take the policies, the versioning and the encryption from data that it leaves.
    """
    return pulumi.ResourceOptions(parent=parent, protect=args.protect, depends_on=list(depends_on))


def plain_name(text: str) -> str:
    """Spell a physical name with letters, digits, ``-`` and ``_`` only: a stack's name may hold a dot."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)
