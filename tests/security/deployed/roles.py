"""The roles of a deployed stack's functions: their grants, and sessions under them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.aws import AccessKey, Aws
from local.embedded_stack import take_role
from tests.local.stack import DeployedStack

FUNCTIONS = ("file_links", "processor", "reader", "reconciler", "sealer", "upload_forms")


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One action on one resource that a role's policy allows, under a statement's `condition`."""

    action: str
    resource: str
    condition: str = ""

    def statement(self) -> dict[str, Any]:
        condition = {"Condition": json.loads(self.condition)} if self.condition else {}
        return {"Effect": "Allow", "Action": self.action, "Resource": self.resource, **condition}


@dataclass(frozen=True, kw_only=True)
class Role:
    """The role of a function. `configuration` is the function's, from Lambda."""

    aws: Aws
    configuration: Mapping[str, Any]

    @property
    def function(self) -> str:
        return str(self.configuration["FunctionName"])

    @property
    def arn(self) -> str:
        return str(self.configuration["Role"])

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def policy_name(self) -> str:
        """The name of its one policy."""
        iam = self.aws.client("iam")
        assert not iam.list_attached_role_policies(RoleName=self.name)["AttachedPolicies"]
        (name,) = iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        return name

    @property
    def policy(self) -> dict[str, Any]:
        """Its policy document."""
        found = self.aws.client("iam").get_role_policy(RoleName=self.name, PolicyName=self.policy_name)
        document = found["PolicyDocument"]
        assert isinstance(document, dict)
        return {**document}

    @property
    def grants(self) -> list[Grant]:
        """Everything that its policy allows, one by one."""
        return [
            Grant(
                action=action,
                resource=resource,
                condition=json.dumps(statement["Condition"]) if "Condition" in statement else "",
            )
            for statement in self.policy["Statement"]
            for action in _list(statement["Action"])
            for resource in _list(statement["Resource"])
        ]

    @contextlib.contextmanager
    def holding_only(self, grants: Sequence[Grant]) -> Iterator[None]:
        """Replace the policy of the role for a while."""
        before = self.policy
        self._put({"Version": "2012-10-17", "Statement": [grant.statement() for grant in grants]})
        try:
            yield
        finally:
            self._put(before)

    def session(self) -> AccessKey:
        """A session under the role, like Lambda's. The emulator's administrator may assume any role."""
        return take_role(self.aws, self.arn, "test")

    def _put(self, policy: Mapping[str, Any]) -> None:
        self.aws.client("iam").put_role_policy(
            RoleName=self.name, PolicyName=self.policy_name, PolicyDocument=json.dumps(policy)
        )


def roles_of(stack: DeployedStack) -> dict[str, Role]:
    """The roles of a stack's functions, by the functions' names."""
    table = stack.outputs["ledger_table"]
    found = {
        configuration["Handler"].split(".")[1]: Role(aws=stack.administrator, configuration=configuration)
        for configuration in stack.administrator.client("lambda").list_functions()["Functions"]
        if configuration["Environment"]["Variables"]["LEDGER_TABLE"] == table
    }
    assert sorted(found) == sorted(FUNCTIONS)
    return found


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
