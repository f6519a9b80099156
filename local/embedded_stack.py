"""The program, deployed on an emulator, and clients for the stack's callers and operators."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local import LocalError
from local.aws import AccessKey, Aws
from local.emulator.process import Emulator, running_emulator


@dataclass(frozen=True, kw_only=True)
class EmbeddedStack:
    """A stack on an embedded AWS.

    `caller` may do what the stack's output `caller_policy` allows and no more, `auditor` what
    `auditor_policy` allows, and `operator` what `operator_policy` allows.
    """

    emulator: Emulator
    outputs: Mapping[str, Any]
    caller: Aws
    auditor: Aws
    operator: Aws

    @property
    def administrator(self) -> Aws:
        """AWS as an administrator sees it, who may do anything."""
        return self.emulator.administrator

    def description(self) -> dict[str, Any]:
        """Return what a client needs to use the stack as caller, auditor or operator.

        With the administrator's key and the folder for its state, the Pulumi CLI can deploy here as well.
        """
        return {
            "endpoint_url": self.caller.endpoint_url,
            "region": self.caller.region,
            "aws_access_key_id": self.caller.key.id,
            "aws_secret_access_key": self.caller.key.secret,
            "auditor_access_key_id": self.auditor.key.id,
            "auditor_secret_access_key": self.auditor.key.secret,
            "operator_access_key_id": self.operator.key.id,
            "operator_secret_access_key": self.operator.key.secret,
            "administrator_access_key_id": self.administrator.key.id,
            "administrator_secret_access_key": self.administrator.key.secret,
            "state_folder": str(self.emulator.home / "pulumi"),
            "ca_bundle": str(self.caller.ca_bundle),
            "outputs": dict(self.outputs),
        }


@contextlib.contextmanager
def running_stack(
    port: int | None = None, config: Mapping[str, Any] | None = None, fault_share: float = 0.0
) -> Iterator[EmbeddedStack]:
    """Start an emulator on ``port`` or a free one, deploy the program on it, and stop everything at the end.

    ``config`` overrides settings of the stack ``local`` (``{"bill-e:batchSize": 1}``). ``fault_share`` (0 to
    1) is the share of the functions' calls to S3 and DynamoDB that have a fault.

    Raises:
        LocalError: something could not be started or deployed.

    """
    with running_emulator(port, fault_share) as emulator:
        # Imported late: Pulumi takes most of a second, and "port in use" should be reported at once.
        from local.deployment import deploy

        outputs = deploy(emulator.administrator, config=config)
        with contextlib.ExitStack() as opened:
            people = {
                role: opened.enter_context(
                    contextlib.closing(
                        emulator.seen_by(create_user(emulator.administrator, role, _policy(role, outputs)))
                    )
                )
                for role in ("caller", "auditor", "operator")
            }
            yield EmbeddedStack(emulator=emulator, outputs=outputs, **people)


def _policy(role: str, outputs: Mapping[str, Any]) -> str:
    """Return the policy that the program exports for people with a role."""
    policy = outputs.get(f"{role}_policy")
    if policy is None:
        raise LocalError(f"the program has no output {role}_policy, so {role}s get no permissions")
    return policy if isinstance(policy, str) else json.dumps(policy)


def create_user(administrator: Aws, name: str, policy: str | None = None) -> AccessKey:
    """Make an IAM user who may do what ``policy`` allows, and return the user's key."""
    iam = administrator.client("iam")
    iam.create_user(UserName=name)
    if policy:
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return AccessKey(id=key["AccessKeyId"], secret=key["SecretAccessKey"])


def create_role(administrator: Aws, name: str, policy: str) -> str:
    """Make a role that the account's people may take, which may do what ``policy`` allows. Return its ARN."""
    people = {"AWS": f"arn:aws:iam::{administrator.account_id()}:root"}
    trust = {"Effect": "Allow", "Principal": people, "Action": "sts:AssumeRole"}
    iam = administrator.client("iam")
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy)
    return role["Arn"]


def take_role(administrator: Aws, arn: str, session: str) -> AccessKey:
    """Return the key of a role's session. S3 names who uploads with it ``AWS:AROA…:session``."""
    taken = administrator.client("sts").assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"]
    return AccessKey(id=taken["AccessKeyId"], secret=taken["SecretAccessKey"], token=taken["SessionToken"])
