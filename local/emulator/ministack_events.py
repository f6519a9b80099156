"""Adds to ministack's events of S3: who uploaded. Ministack names the same principal in all of them.

A principal is ``AWS:`` and IAM's unique id of a user, or that of a role with the name of the session. For a
form, it is the form's signer (S3 User Guide, "Event message structure"; IAM User Guide, "IAM identifiers").
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam, s3

_signer_of_form: ContextVar[str] = ContextVar("signer_of_form", default="")
"""The access key that signed the form in this request."""


def install() -> None:
    """Wrap ministack's functions that check a form and that send an event."""
    fire, check = s3._fire_s3_event_async, s3._enforce_signed_post_policy

    def check_form(fields: Mapping[str, str], *more: Any) -> Any:
        refusal = check(fields, *more)
        if refusal is None:
            credential = fields.get("x-amz-credential") or fields["awsaccesskeyid"]  # SigV4, or SigV2
            _signer_of_form.set(credential.partition("/")[0])
        return refusal

    def fire_with_principal(*event: Any, record_extra: Mapping[str, Any] | None = None, **more: Any) -> None:
        known = {**(record_extra or {}), "userIdentity": {"principalId": _principal()}}
        fire(*event, record_extra=known, **more)

    s3._enforce_signed_post_policy, s3._fire_s3_event_async = check_form, fire_with_principal


def _principal() -> str | None:
    """Return the principal of this request, whose signature was checked, or ``None`` if it has none."""
    key = _signer_of_form.get() or iam_evaluator._verified_key.get()
    found = iam_evaluator.resolve_credential(key) if key else None
    if not isinstance(found, iam_evaluator.ResolvedCredential):
        return None
    if found.principal_type != "AssumedRole":
        return f"AWS:{found.principal_id}"
    # A function's session has the name of its role instead of the id.
    _, role, session = found.principal_arn.split("/")
    return f"AWS:{iam._roles.get_scoped(found.account_id, None, role)['RoleId']}:{session}"
