"""Who may talk to the console: the browser that opened its address first, and only the page itself.

Any site that a browser shows can send requests to 127.0.0.1, and can have a name of its own resolve to it.
So requests must name this server as their `Host`, come from its own page, and have a cookie that a browser
sends for that page alone. The cookie is given for the secret in the address, which works once. Where the
system tells whose a connection is, it must be the same user's.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cli.console.peers import is_from_another_user
from cli.console.problems import NO_SESSION, NOT_FROM_PAGE, problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECRET_BYTES = 32
READING = frozenset({"GET", "HEAD"})
HTTP_PORT = 80
"""Browsers leave it out of `Host` and `Origin`."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self' {sockets}",
        "worker-src 'self'",
        "frame-src blob:",
        "font-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Not every browser takes a web socket of this server for part of 'self'."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title} - Bill-E</title>
<main>
<h1>{title}</h1>
{text}
</main>
</html>
"""

USED_TEXT = (
    "<p>This address has been opened before, and it works only once, in one browser. If that was you, go on "
    "in the browser where you opened it. To use the console in this one, press Ctrl-C in the terminal and "
    "run <code>bill-e console</code> again.</p>"
    "<p>If you haven't opened it, somebody else on this machine may have. Do the same: it locks them out.</p>"
)
OLD_TEXT = (
    "<p>This isn't the address that the console has printed. It may be from an earlier run, or not whole.</p>"
    "<p>Open the address that <code>bill-e console</code> has printed last. If you don't have it any more, "
    "press Ctrl-C in the terminal and run the command again.</p>"
)
UNKNOWN_TEXT = (
    '<p>Are you already using the console in this browser? Then <a href="/">open it</a>.</p>'
    "<p>If not, open the address that <code>bill-e console</code> has printed. It works once, in one "
    "browser: to get a new one, press Ctrl-C in the terminal and run the command again.</p>"
)


class Session:
    """The secrets of one run of the console on `port`."""

    def __init__(self, port: int) -> None:
        """Make new secrets. Nothing that was given out by an earlier run is valid."""
        suffix = "" if port == HTTP_PORT else f":{port}"
        self.hosts = frozenset({f"127.0.0.1{suffix}", f"localhost{suffix}"})
        self.address = f"http://127.0.0.1{suffix}/"
        sockets = " ".join(f"ws://{host}/api/uploads" for host in sorted(self.hosts))
        self.headers = {**HEADERS, "Content-Security-Policy": CONTENT_SECURITY_POLICY.format(sockets=sockets)}
        # A browser sends a cookie to every port of a host: two consoles need two names.
        self.cookie_name = f"bill_e_console_{port}"
        self._secret = secrets.token_urlsafe(SECRET_BYTES)
        self._is_used = False
        self._cookie = secrets.token_urlsafe(SECRET_BYTES)

    @property
    def first_address(self) -> str:
        """The address that starts the session. It works once."""
        return f"{self.address}?secret={self._secret}"

    def knows(self, request: HTTPConnection) -> bool:
        """Whether a request has the cookie."""
        return compare_digest(request.cookies.get(self.cookie_name, "").encode(), self._cookie.encode())

    def exchange(self, secret: str) -> Response:
        """Give the cookie for the secret, which is void from now on. Without it, say what is wrong."""
        if not compare_digest(secret.encode(), self._secret.encode()):
            return _page(OLD_TEXT)
        if self._is_used:
            return _page(USED_TEXT)
        self._is_used = True
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(self.cookie_name, self._cookie, httponly=True, samesite="strict", path="/")
        return answer


class Guard:
    """Answers what the session doesn't allow, and hands everything else to `app`; adds headers to both."""

    def __init__(self, app: ASGIApp, session: Session) -> None:
        """Guard an app."""
        self._app = app
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or the handshake of a web socket, or have it answered."""

        async def with_headers(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = MutableHeaders(scope=message)
                for name, value in self._session.headers.items():
                    headers[name] = value
            await send(message)

        answer = self._answer(HTTPConnection(scope)) or self._app
        await answer(scope, receive, with_headers)

    def _answer(self, request: HTTPConnection) -> Response | None:
        """Answer what doesn't get through to the app."""
        if wrong := self._not_from_page(request):
            return problem(NOT_FROM_PAGE, 403, "This request is not from the console's page", wrong)
        is_start = request.url.path == "/" and request.scope.get("method") == "GET"
        secret = request.query_params.get("secret") if is_start else None
        known = self._session.knows(request)
        if secret is not None:
            return RedirectResponse("/", status_code=303) if known else self._session.exchange(secret)
        if known:
            return None
        if request.url.path.startswith("/api/"):
            return problem(
                NO_SESSION,
                401,
                "This browser has no session",
                "Open the address that `bill-e console` has printed, or run the command again for a new one.",
            )
        return _page(UNKNOWN_TEXT)

    def _not_from_page(self, request: HTTPConnection) -> str | None:
        """Say what shows that a request isn't from the page or from a person, if anything does."""
        # The files of the page are no secret, and looking this up takes some milliseconds.
        asks = request.url.path.startswith("/api/") or "secret" in request.query_params
        if asks and is_from_another_user(request.scope["client"], request.scope["server"]):
            return "It comes from another user of this machine."
        headers = Headers(scope=request.scope)
        method = request.scope.get("method")  # A web socket has none.
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._session.hosts:
            return "The header Host names another server."
        origins, site = headers.getlist("origin"), headers.get("sec-fetch-site")
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return "The header Origin names another site."
        is_visit = (
            method == "GET"
            and request.url.path == "/"
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document"
        )
        if site not in {None, "none", "same-origin"} and not is_visit:
            return "The header Sec-Fetch-Site says that it comes from another site."
        if method is None and len(origins) != 1:
            return "A web socket needs the header Origin."
        if method not in READING and not origins and site != "same-origin":
            return "Neither Origin nor Sec-Fetch-Site says that it comes from this site."
        return None


def _page(text: str) -> Response:
    return HTMLResponse(PAGE.format(title="This address doesn't open the console", text=text), 401)
