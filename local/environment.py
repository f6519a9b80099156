"""The whole environment: the emulator, the program deployed on it, and the users of the stack."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.aws import Aws, Credentials
from local.emulator import Emulator, running_emulator
from local.errors import LocalError


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A deployed stack, and AWS as its users see it.

    `caller` may do what the stack's output `caller_policy` allows and no more, `operator` what
    `operator_policy` allows.
    """

    emulator: Emulator
    outputs: Mapping[str, Any]
    caller: Aws
    operator: Aws

    def description(self) -> dict[str, Any]:
        """Return all that a client needs to use the stack as its caller or operator, and its outputs too.

        With the administrator's key and the folder for its state, the Pulumi CLI can deploy here as well.
        """
        administrator = self.emulator.operator.credentials
        return {
            "endpoint_url": self.caller.endpoint_url,
            "region": self.caller.region,
            "aws_access_key_id": self.caller.credentials.access_key_id,
            "aws_secret_access_key": self.caller.credentials.secret_access_key,
            "operator_access_key_id": self.operator.credentials.access_key_id,
            "operator_secret_access_key": self.operator.credentials.secret_access_key,
            "administrator_access_key_id": administrator.access_key_id,
            "administrator_secret_access_key": administrator.secret_access_key,
            "state_folder": str(self.emulator.home / "pulumi"),
            "ca_bundle": str(self.caller.ca_bundle),
            "outputs": dict(self.outputs),
        }


@contextlib.contextmanager
def running_environment(
    port: int | None = None, config: Mapping[str, Any] | None = None, fault_share: float = 0.0
) -> Iterator[Environment]:
    """Start an emulator on ``port`` or a free one, deploy the program on it, and stop everything at the end.

    ``config`` overrides settings of the stack ``local`` (``{"bill-e:batchSize": 1}``). With a ``fault_share``
    (0 to 1), so many of the functions' calls to S3 and DynamoDB have a fault.

    Raises:
        LocalError: something could not be started or deployed.

    """
    # Imported late: Pulumi takes most of a second, which "port in use" should not have to wait for.
    with running_emulator(port, fault_share) as emulator:
        from local.program import deploy

        outputs = deploy(emulator.operator, config=config)
        caller = emulator.seen_by(_create_user("caller", emulator.operator, outputs))
        operator = emulator.seen_by(_create_user("operator", emulator.operator, outputs))
        with contextlib.closing(caller), contextlib.closing(operator):
            yield Environment(emulator=emulator, outputs=outputs, caller=caller, operator=operator)


def _create_user(role: str, root: Aws, outputs: Mapping[str, Any]) -> Credentials:
    """Make an IAM user with the policy that the program says a ``caller`` or an ``operator`` needs."""
    policy = outputs.get(f"{role}_policy")
    if policy is None:
        raise LocalError(f"the program has no output {role}_policy: what its {role}s may do is not known")
    iam = root.client("iam")
    name = f"{role}-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name,
        PolicyName=role,
        PolicyDocument=policy if isinstance(policy, str) else json.dumps(policy),
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])
