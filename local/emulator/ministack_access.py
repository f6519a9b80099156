"""Closes what ministack gives to any process of this machine that has no key, or only knows a key's id.

- Its own routes, such as `/_ministack/reset`.
- Root's permissions for a request whose `Authorization` isn't a signature, for the key `test`, and for an
  account's number as a key. Only the administrator's key is root's here.
- The permissions of a key without its signature: ministack doesn't check root's, nor that there is any.
- Unsigned requests to S3. A form comes with one, and S3 checks the signature in the form.
- Calls of an API that are signed for another service.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import AuthError, SignedRequest
from ministack.core.router import extract_access_key_id
from ministack.services import sts

from local.emulator import HEALTH_PATH
from local.emulator.faults import App, Receive, Send

Headers = Sequence[tuple[bytes, bytes]]

OWN_FOLDERS = ("/_ministack/", "/_localstack/")
OWN_PATH = "/health"


def install() -> None:
    """Make ministack's IAM believe nothing but signatures."""
    iam_evaluator.is_root_access_key = sts.is_root_access_key = _is_root
    # What ministack asks before it skips the check of a signature.
    iam_evaluator._is_root_key = lambda _key: False
    pin, enforce = iam_evaluator.pin_signed_request, iam_evaluator.enforce

    def pin_every_request(
        method: str,
        raw_path: str,
        query: Mapping[str, Any],
        headers: Headers,
        **more: Any,
    ) -> None:
        pin(method, raw_path, query, headers, **more)
        if iam_evaluator._signed_request.get() is None and not iam_evaluator._anonymous.get():
            pinned = SignedRequest(_key(query, headers), method, raw_path, query, {}, unverifiable=True)
            iam_evaluator._signed_request.set(pinned)

    def enforce_signature(key: str, action: str, service: str, *more: Any, **rest: Any) -> Any:
        if service == "s3" and not key and iam_evaluator._anonymous.get() and action != "s3:PutObject":
            return AuthError("AccessDenied", "Access Denied")
        if action == "execute-api:Invoke" and not _is_for_the_api(iam_evaluator._signed_request.get()):
            return AuthError("SignatureDoesNotMatch", "Credential should be scoped to correct service.")
        return enforce(key, action, service, *more, **rest)

    app.pin_signed_request = iam_evaluator.pin_signed_request = pin_every_request
    iam_evaluator.enforce = enforce_signature


def _is_root(key: str) -> bool:
    """Tell whether a key is root's. Of no key, this is only asked where nobody may do anything."""
    return key == os.environ["AWS_ACCESS_KEY_ID"] or (not key and iam_evaluator._anonymous.get())


def _key(query: Mapping[str, Any], headers: Headers) -> str:
    given = next((value for name, value in headers if name.lower() == b"authorization"), b"")
    found: str = extract_access_key_id({"authorization": given.decode("latin-1")}, query)
    return found


def _is_for_the_api(request: SignedRequest | None) -> bool:
    """Tell whether a signature is for the service that the API belongs to. Without one, there is no other."""
    if request is None:
        return True
    given = [request.headers.get("authorization", ""), *request.query_params.get("X-Amz-Credential", ())]
    return any("/execute-api/aws4_request" in each for each in given)


def closed(served: App) -> App:
    """Answer requests for ministack's own routes with 404, and those for `HEALTH_PATH` with 204."""

    async def serve(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == HEALTH_PATH:
            await _answer(send, HTTPStatus.NO_CONTENT)
        elif path == OWN_PATH or path.startswith(OWN_FOLDERS):
            await _answer(send, HTTPStatus.NOT_FOUND)
        else:
            await served(scope, receive, send)

    return serve


async def _answer(send: Send, status: HTTPStatus) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body"})
