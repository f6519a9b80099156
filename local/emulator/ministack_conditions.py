"""Adds to ministack's IAM: condition keys that it doesn't know, or that it gives another value than AWS.

- `kms:MessageType` and `kms:SigningAlgorithm`: what a request asks KMS to sign, and how (AWS KMS Developer
  Guide, "AWS KMS condition keys"). Otherwise, nobody could sign who may only sign in one way.
- `aws:PrincipalArn` of a function is the ARN of its role (IAM User Guide, "AWS global condition context
  keys"). Ministack has that of the session.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam

_OF_KMS = {"kms:messagetype": "MessageType", "kms:signingalgorithm": "SigningAlgorithm"}

_request: ContextVar[Mapping[str, Any]] = ContextVar("request_to_kms")
"""The request to KMS that is being authorized."""


def install() -> None:
    """Wrap ministack's functions that find the resource of a request and the values of condition keys."""
    resource_of, value_of = iam_actions.extract_resource_arn, iam_evaluator._resolve_condition_key

    def resource(service: str, method: str, path: str, headers: Any, body: bytes, *more: Any) -> Any:
        if service == "kms":
            _request.set(json.loads(body or b"{}"))
        return resource_of(service, method, path, headers, body, *more)

    def value(key: str, context: Any) -> Any:
        name = key.lower()
        if name in _OF_KMS and context.action.startswith("kms:"):
            return _request.get().get(_OF_KMS[name])
        found = value_of(key, context)
        return _role_of(found) if name == "aws:principalarn" else found

    iam_actions.extract_resource_arn, iam_evaluator._resolve_condition_key = resource, value


def _role_of(arn: str) -> str:
    if ":assumed-role/" not in arn:
        return arn
    name, account = iam_evaluator._role_name_from_assumed_arn(arn), arn.split(":")[4]
    role = iam._roles.get_scoped(account, None, name)
    return str(role["Arn"]) if role else arn
