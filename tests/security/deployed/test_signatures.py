"""Which signed requests the API accepts, and until when."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.aws import AccessKey
from tests.local.stack import Answer, DeployedStack, declared, png
from tests.local.test_access import ROUTES, new_user


def signed(
    stack: DeployedStack,
    method: str,
    path: str,
    body: str | None = None,
    *,
    region: str | None = None,
    service: str = "execute-api",
    signed_by: AccessKey | None = None,
) -> dict[str, str]:
    """The headers of a request that is signed, by the caller unless there is another key."""
    caller, key = stack.caller, signed_by or stack.caller.key
    headers = {"Content-Type": "application/json"} if body else {}
    request = AWSRequest(method=method, url=url(stack, path), headers=headers, data=body)
    secret = Credentials(key.id, key.secret, key.token)
    SigV4Auth(secret, service, region or caller.region).add_auth(request)
    return dict(request.headers.items())


def send(
    stack: DeployedStack, method: str, path: str, headers: dict[str, str], body: str | None = None
) -> Answer:
    return stack.send(method, url(stack, path), headers, body)


def url(stack: DeployedStack, path: str) -> str:
    return f"{stack.outputs['api_url']}{path}"


@pytest.mark.claim(
    "with apiAuth iam, a request that was signed too long ago or for a future time is refused",
    section="Access to the API",
)
@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("minutes", [-20, 20])
def test_signature_of_another_time_is_refused(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch, method: str, path: str, minutes: int
) -> None:
    then = datetime.now(UTC) + timedelta(minutes=minutes)
    with monkeypatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: then)
        headers = signed(stack, method, path)

    assert send(stack, method, path, headers).status == 403


OTHER_REQUESTS: dict[str, tuple[str, str, str | None]] = {
    "another method": ("POST", "/receipts", None),
    "another path": ("GET", f"/receipts/{'0' * 64}", None),
    "another query": ("GET", "/receipts?limit=2", None),
    "one parameter more": ("GET", "/receipts?limit=1&outcome=ACCEPTED", None),
}


@pytest.mark.claim(
    "with apiAuth iam, a signature is only valid for its own request", section="Access to the API"
)
@pytest.mark.parametrize("other", OTHER_REQUESTS)
def test_signature_is_not_valid_for_another_request(stack: DeployedStack, other: str) -> None:
    method, path, body = OTHER_REQUESTS[other]
    headers = signed(stack, "GET", "/receipts?limit=1")
    assert send(stack, "GET", "/receipts?limit=1", headers).status == 200

    assert send(stack, method, path, headers, body).status in {403, 404}


def test_signature_is_not_valid_for_another_body(stack: DeployedStack) -> None:
    headers = signed(stack, "POST", "/uploads", json.dumps(declared(png())))

    assert send(stack, "POST", "/uploads", headers, json.dumps(declared(png()))).status == 403


@pytest.mark.claim("with apiAuth iam, a signature for another region is refused", section="Access to the API")
def test_signature_for_another_region_is_refused(stack: DeployedStack) -> None:
    headers = signed(stack, "GET", "/receipts", region="eu-central-1")

    assert send(stack, "GET", "/receipts", headers).status == 403


@pytest.mark.claim(
    "with apiAuth iam, a signature for another service is refused", section="Access to the API"
)
@pytest.mark.parametrize("service", ["s3", "sts", "apigateway"])
def test_signature_for_another_service_is_refused(stack: DeployedStack, service: str) -> None:
    headers = signed(stack, "GET", "/receipts", service=service)

    assert send(stack, "GET", "/receipts", headers).status == 403


@pytest.mark.claim(
    "with apiAuth iam, an `Authorization` header that isn't a signature is refused",
    section="Access to the API",
)
@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("garbage", ["garbage", "Basic cm9vdDpyb290", "Bearer a.b.c", "AWS4-HMAC-SHA256 x"])
def test_what_is_no_signature_is_refused(stack: DeployedStack, method: str, path: str, garbage: str) -> None:
    assert send(stack, method, path, {"Authorization": garbage}).status == 403


def test_key_with_the_token_of_a_session_that_is_not_its_own_is_refused(stack: DeployedStack) -> None:
    odd = replace(stack.caller.key, token="a" * 40)
    headers = signed(stack, "GET", "/receipts", signed_by=odd)

    assert send(stack, "GET", "/receipts", headers).status == 403


Change = Callable[[dict[str, Any], str], dict[str, Any]]

POLICIES: dict[str, Change] = {
    "all but execute-api:Invoke": lambda policy, _: {
        **policy,
        "Statement": [one for one in policy["Statement"] if one["Action"] != "execute-api:Invoke"],
    },
    "another API's routes": lambda policy, api: json.loads(json.dumps(policy).replace(api, "another")),
    "a denial on top": lambda policy, _: {
        **policy,
        "Statement": [
            *policy["Statement"],
            {"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": "*"},
        ],
    },
}


@pytest.mark.claim(
    "with apiAuth iam, callers without execute-api:Invoke on this API are refused",
    section="Access to the API",
)
@pytest.mark.parametrize("policy", POLICIES)
def test_caller_who_may_not_invoke_is_refused(stack: DeployedStack, policy: str) -> None:
    outputs = stack.outputs
    api_id = str(outputs["api_url"]).rpartition("/")[2]
    allowed = json.loads(outputs["caller_policy"])
    assert api_id in json.dumps(allowed)
    stranger = new_user(stack, POLICIES[policy](allowed, api_id))

    statuses = [
        send(stack, method, path, signed(stack, method, path, signed_by=stranger)).status
        for method, path in ROUTES
    ]

    assert statuses == [403] * len(ROUTES)


@pytest.mark.claim(
    "the policy for callers (output `caller_policy`) allows its own stack's API and no other in the account",
    section="Access to the API",
)
def test_caller_of_one_stack_is_refused_by_another(stack: DeployedStack, neighbour: DeployedStack) -> None:
    assert stack.get("/receipts").status == 200
    assert neighbour.get("/receipts").status == 403


@pytest.mark.claim(
    "only the routes in the OpenAPI document exist; any other is not found, signed or not",
    section="Access to the API",
)
@pytest.mark.parametrize("path", ["/", "/uploads/x", "/receipts/a/b", "/health"])
def test_other_paths_are_not_found(stack: DeployedStack, path: str) -> None:
    assert send(stack, "GET", path, {}).status in {403, 404}
    assert stack.get(path).status in {403, 404}
