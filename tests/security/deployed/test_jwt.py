"""Which tokens the API accepts. Their issuer is on this machine."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.local.stack import Answer, DeployedStack, declared, png
from tests.local.test_access import ROUTES
from tests.security.deployed.conftest import AUDIENCE
from tests.security.deployed.issuer import Issuer, encode, new_key

READ, FILES, UPLOAD = "receipts:read", "receipts:files", "receipts:write"
HOUR = 3600


def claims(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    """The claims of a right access token. A claim that is changed to None is left out."""
    now = int(time.time())
    right = {
        "iss": issuer.url,
        "aud": AUDIENCE,
        "sub": "auditor",
        "scope": f"{READ} {FILES} {UPLOAD}",
        "iat": now - HOUR,
        "nbf": now - HOUR,
        "exp": now + HOUR,
    }
    return {name: value for name, value in (right | changes).items() if value is not None}


def token(issuer: Issuer, **changes: Any) -> str:
    return encode(claims(issuer, **changes), issuer.sign)


def ask(stack: DeployedStack, method: str, path: str, authorization: str | None) -> Answer:
    headers = {} if authorization is None else {"Authorization": authorization}
    body = b"{}" if method == "POST" else None
    return stack.send(method, f"{stack.outputs['api_url']}{path}", headers, body)


@pytest.mark.claim(
    "with apiAuth jwt, a token from the issuer with the right audience and scopes is accepted on every route",
    section="Access to the API",
)
def test_right_token_is_accepted_on_every_route(token_stack: DeployedStack, issuer: Issuer) -> None:
    bearer = f"Bearer {token(issuer)}"

    answers = [ask(token_stack, method, path, bearer) for method, path in ROUTES]

    # The upload-forms function refuses a body whose content type isn't JSON.
    assert [answer.status for answer in answers] == [200, 404, 415, 404, 404, 404]


def test_token_for_several_audiences_is_valid_for_each(token_stack: DeployedStack, issuer: Issuer) -> None:
    several = token(issuer, aud=["another", AUDIENCE])

    assert ask(token_stack, "GET", "/receipts", f"Bearer {several}").status == 200


UNAUTHENTIC: dict[str, Callable[[Issuer], str]] = {
    "of another issuer": lambda issuer: token(issuer, iss="https://issuer.example.com"),
    "of no issuer": lambda issuer: token(issuer, iss=None),
    "for another audience": lambda issuer: token(issuer, aud="another"),
    "for no audience": lambda issuer: token(issuer, aud=None),
    "expired": lambda issuer: token(issuer, exp=int(time.time()) - 1),
    "not yet valid": lambda issuer: token(issuer, nbf=int(time.time()) + HOUR),
    "issued in the future": lambda issuer: token(issuer, iat=int(time.time()) + HOUR),
    "alg none": lambda issuer: encode(claims(issuer), lambda _: b"", alg="none"),
    "alg none with a signature": lambda issuer: encode(claims(issuer), issuer.sign, alg="none")[:-8],
    "HMAC with the public key": lambda issuer: encode(
        claims(issuer), lambda text: hmac.digest(issuer.public_pem, text, "sha256"), alg="HS256"
    ),
    "of an unknown key": lambda issuer: encode(claims(issuer), issuer.sign, kid="another"),
    "of a foreign key under the known id": lambda issuer: encode(
        claims(issuer), lambda text: issuer.sign(text, new_key())
    ),
    "changed after it was signed": lambda issuer: spliced(issuer),
    "not a token": lambda _: "a.b.c",
    "empty": lambda _: "",
}


def spliced(issuer: Issuer) -> str:
    """The claims of one token with the signature of another."""
    header, _, signature = token(issuer, scope=READ).split(".")
    return ".".join([header, token(issuer, sub="somebody else").split(".")[1], signature])


@pytest.mark.claim(
    "with apiAuth jwt, a token is refused if its issuer, audience, time or key is wrong, or if it is "
    "unsigned, signed with HMAC, or changed",
    section="Access to the API",
)
@pytest.mark.parametrize("flaw", UNAUTHENTIC)
def test_token_is_refused(token_stack: DeployedStack, issuer: Issuer, flaw: str) -> None:
    answer = ask(token_stack, "GET", "/receipts", f"Bearer {UNAUTHENTIC[flaw](issuer)}")

    assert (answer.status, answer.json) == (401, {"message": "Unauthorized"})


@pytest.mark.claim("with apiAuth jwt, no route answers without a token", section="Access to the API")
@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("authorization", [None, "", "Basic YTpi", "Bearer"])
def test_call_without_token_is_refused(
    token_stack: DeployedStack, method: str, path: str, authorization: str | None
) -> None:
    assert ask(token_stack, method, path, authorization).status == 401


@pytest.mark.claim("with apiAuth jwt, a token in the URL is ignored", section="Access to the API")
def test_token_in_the_url_is_refused(token_stack: DeployedStack, issuer: Issuer) -> None:
    assert ask(token_stack, "GET", f"/receipts?access_token={token(issuer)}", None).status == 401


@pytest.mark.claim("with apiAuth jwt, an AWS signature doesn't replace a token", section="Access to the API")
def test_signed_call_is_refused(token_stack: DeployedStack) -> None:
    assert token_stack.get("/receipts").status == 401


SCOPES = {
    "an ID token, which has no scope": None,
    "no scope": "",
    "other scopes": "openid profile",
    "a longer scope": f"{READ}-all x{READ}",
    "another spelling": READ.upper(),
    "scopes with commas": f"{READ},{UPLOAD}",
}


@pytest.mark.claim(
    "with apiAuth jwt, an ID token or a token without the route's scope is refused",
    section="Access to the API",
)
@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("scope", SCOPES)
def test_token_without_the_scope_is_refused(
    token_stack: DeployedStack, issuer: Issuer, method: str, path: str, scope: str
) -> None:
    answer = ask(token_stack, method, path, f"Bearer {token(issuer, scope=SCOPES[scope])}")

    assert (answer.status, answer.json) == (403, {"message": "Forbidden"})


@pytest.mark.claim(
    "with apiAuth jwt, the scope for reading only allows reading, the one for files only files, and the one "
    "for uploads only uploads",
    section="Access to the API",
)
def test_scope_only_allows_its_own_routes(token_stack: DeployedStack, issuer: Issuer) -> None:
    def statuses(scope: str) -> list[int]:
        bearer = f"Bearer {token(issuer, scope=scope)}"
        return [ask(token_stack, method, path, bearer).status for method, path in ROUTES]

    assert statuses(READ) == [200, 404, 403, 403, 404, 404]
    assert statuses(UPLOAD) == [403, 403, 415, 403, 403, 403]
    assert statuses(FILES) == [403, 403, 403, 404, 403, 403]


def test_holder_of_a_token_uploads_with_a_form(token_stack: DeployedStack, issuer: Issuer) -> None:
    content = png()
    bearer = {"Authorization": f"Bearer {token(issuer)}", "Content-Type": "application/json"}
    url = f"{token_stack.outputs['api_url']}/uploads"

    form = token_stack.send("POST", url, bearer, json.dumps(declared(content)))

    assert form.status == 201, form
    assert token_stack.post_form(form.json, content).status == 204
