"""The whole environment: the emulator, the program deployed on it, and a caller of the stack."""

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
    """A deployed stack. `caller` is AWS as its users see it, with what `caller_policy` allows and no more."""

    emulator: Emulator
    outputs: Mapping[str, Any]
    caller: Aws

    def description(self) -> dict[str, Any]:
        """Return all that a client needs to use the stack as its caller, and its outputs too."""
        return {
            "endpoint_url": self.caller.endpoint_url,
            "region": self.caller.region,
            "aws_access_key_id": self.caller.credentials.access_key_id,
            "aws_secret_access_key": self.caller.credentials.secret_access_key,
            "ca_bundle": str(self.caller.ca_bundle),
            "outputs": dict(self.outputs),
        }


@contextlib.contextmanager
def running_environment(
    port: int | None = None, config: Mapping[str, Any] | None = None
) -> Iterator[Environment]:
    """Start an emulator on ``port`` or a free one, deploy the program on it, and stop everything at the end.

    ``config`` overrides settings of the stack ``local`` (``{"bill-e:batchSize": 1}``).

    Raises:
        LocalError: something could not be started or deployed.

    """
    # Imported late: Pulumi takes most of a second, which "port in use" should not have to wait for.
    with running_emulator(port) as emulator:
        from local.program import deploy

        outputs = deploy(emulator.operator, config=config)
        caller = emulator.seen_by(_create_caller(emulator.operator, outputs))
        with contextlib.closing(caller):
            yield Environment(emulator=emulator, outputs=outputs, caller=caller)


def _create_caller(operator: Aws, outputs: Mapping[str, Any]) -> Credentials:
    """Make an IAM user with the policy that the program says its callers need."""
    policy = outputs.get("caller_policy")
    if policy is None:
        raise LocalError("the program has no output caller_policy: what its callers may do is not known")
    iam = operator.client("iam")
    name = f"caller-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name,
        PolicyName="caller",
        PolicyDocument=policy if isinstance(policy, str) else json.dumps(policy),
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])
