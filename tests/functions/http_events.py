"""HTTP API requests as Lambda gets them (payload format 2.0), and the context beside them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REQUEST_ID = "JKJaXmPLvHcESHA="


@dataclass(frozen=True)
class Context:
    """What a function reads of Lambda's context."""

    aws_request_id: str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A function's response as a client sees it."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def refused_fields(self) -> list[str]:
        return [error["field"] for error in self.body["errors"]]


def http_event(
    method: str,
    path: str,
    query: str = "",
    *,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
    is_base64: bool = False,
) -> dict[str, Any]:
    """Build the event of a request; ``path`` and ``query`` are as they stand in the URL.

    API Gateway finds the route: ``/receipts/`` and one more part of a path is the one with a parameter.
    """
    resource, _, fingerprint = unquote(path).removeprefix("/").partition("/")
    route = f"{method} /{resource}/{{fingerprint}}" if fingerprint else f"{method} {path}"
    decoded = {name: ",".join(values) for name, values in parse_qs(query, keep_blank_values=True).items()}
    if body is not None and is_base64:
        body = base64.b64encode(body.encode()).decode()
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": unquote(path),
        "rawQueryString": query,
        "headers": {
            "accept": "*/*",
            "host": "abc123.execute-api.eu-central-1.amazonaws.com",
            **(headers or {}),
        },
        **({"queryStringParameters": decoded} if decoded else {}),
        **({"pathParameters": {"fingerprint": fingerprint}} if fingerprint else {}),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "domainName": "abc123.execute-api.eu-central-1.amazonaws.com",
            "http": {
                "method": method,
                "path": unquote(path),
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "test",
            },
            "requestId": REQUEST_ID,
            "routeKey": route,
            "stage": "$default",
            "time": "30/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1796040000000,
        },
        **({"body": body} if body is not None else {}),
        "isBase64Encoded": is_base64,
    }


def send(handle: Callable[..., dict[str, Any]], event: dict[str, Any]) -> Answer:
    """Let a handler answer an event, and check what holds for every answer."""
    return sent(handle(event, Context()))


def sent(response: Mapping[str, Any]) -> Answer:
    """Read a response, and check what holds for every answer."""
    headers = {name.lower(): value for name, value in response["headers"].items()}
    assert headers["cache-control"] == "no-store"
    body = json.loads(response["body"])
    failed = response["statusCode"] >= 400
    assert headers["content-type"] == ("application/problem+json" if failed else "application/json")
    if failed:
        assert body["status"] == response["statusCode"]
        assert body["type"].startswith("/problems/")
        assert body["title"]
        assert body["detail"]
    return Answer(status=response["statusCode"], headers=headers, body=body)
