"""HTTP API requests as functions get them (payload format 2.0), and answers as clients get them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_ID = "JKJaXmPLvHcESHA="
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A function's response as a client gets it. ``text`` is the body as it was sent."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

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
    """Make the event of a request. ``path`` and ``query`` are as in the URL.

    API Gateway chooses the route. To GET ``/receipts/`` or ``/files/`` with another part is a route with a
    parameter.
    """
    resource, _, part = unquote(path).removeprefix("/").partition("/")
    fingerprint = part if method == "GET" else ""
    route = f"{method} /{resource}/{{fingerprint}}" if fingerprint else f"{method} {path}"
    decoded = {name: ",".join(values) for name, values in parse_qs(query, keep_blank_values=True).items()}
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


def sent(response: Mapping[str, Any]) -> Answer:
    """Read a function's response, and check what is true of every answer."""
    status, text = response["statusCode"], response["body"]
    assert isinstance(status, int)
    assert not response.get("cookies")
    assert response["isBase64Encoded"] is False
    # ASCII without control characters, so nothing in a request can control a terminal that shows the answer.
    for shown in (*response["headers"], *response["headers"].values(), text):
        assert isinstance(shown, str)
        assert shown.isascii()
        assert shown.isprintable()
    answer = Answer(
        status=status, headers={name.lower(): value for name, value in response["headers"].items()}, text=text
    )
    assert isinstance(answer.body, dict)
    assert answer.headers["cache-control"] == "no-store"
    if status < 400:
        assert answer.headers["content-type"] == "application/json"
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.body["status"] == status
        assert answer.body["type"].startswith("/problems/")
        assert all(
            answer.body[member] and isinstance(answer.body[member], str) for member in ("title", "detail")
        )
    return answer
