"""What pages of other sites may do, in a browser, with the API and the bucket."""

from __future__ import annotations

import pytest

from tests.local.stack import Answer, DeployedStack
from tests.local.test_access import ROUTES
from tests.security.deployed.conftest import ORIGIN, WATCHED

FOREIGN = [
    *("https://elsewhere.example.com", "http://receipts.example.com", "https://receipts.example.com:8443"),
    *("https://receipts.example.com.evil.example", "https://evil-receipts.example.com", "null", "*"),
]
SIGNING_HEADERS = [
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "content-type",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-user-agent",
]


@pytest.fixture(params=["stack", "token_stack"])
def either_stack(request: pytest.FixtureRequest) -> DeployedStack:
    """The program with signatures, and with tokens."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, DeployedStack)
    return found


def test_pages_with_an_sdk_may_upload_and_read_which_version_they_made(stack: DeployedStack) -> None:
    url = f"{stack.emulator.endpoint_url}/{stack.bucket}/{WATCHED}receipt.png"
    wanted = "amz-sdk-invocation-id,amz-sdk-request,authorization,x-amz-checksum-crc32,x-amz-user-agent"
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}

    answer = stack.send("OPTIONS", url, {**headers, "Access-Control-Request-Headers": wanted}, None)

    assert answer.status == 200, answer
    assert cors_headers(answer)["access-control-expose-headers"] == "ETag, x-amz-version-id"


def preflight(stack: DeployedStack, method: str, path: str, origin: str) -> Answer:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,x-amz-date",
    }
    return stack.send("OPTIONS", f"{stack.outputs['api_url']}{path}", headers, None)


def cors_headers(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.claim(
    "pages of the configured origins pass the preflight of every route, which needs no authorization",
    section="Access to the API",
)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_preflight_of_an_allowed_origin_passes(either_stack: DeployedStack, method: str, path: str) -> None:
    answer = preflight(either_stack, method, path, ORIGIN)

    assert answer.status == 204
    allowed = cors_headers(answer)
    assert allowed["access-control-allow-origin"] == ORIGIN
    assert method in allowed["access-control-allow-methods"].split(",")
    assert sorted(allowed["access-control-allow-headers"].split(",")) == SIGNING_HEADERS
    assert "access-control-allow-credentials" not in allowed


@pytest.mark.claim("pages of other origins get no CORS headers", section="Access to the API")
@pytest.mark.parametrize("origin", FOREIGN)
def test_preflight_of_another_origin_gets_no_header(either_stack: DeployedStack, origin: str) -> None:
    assert cors_headers(preflight(either_stack, "GET", "/receipts", origin)) == {}


@pytest.mark.parametrize(("origin", "header"), [(ORIGIN, ORIGIN), *((origin, None) for origin in FOREIGN)])
def test_answer_names_an_allowed_origin_only(stack: DeployedStack, origin: str, header: str | None) -> None:
    answer = stack.call("GET", "/receipts", headers={"Origin": origin})

    assert answer.status == 200
    assert answer.headers.get("access-control-allow-origin") == header


@pytest.mark.claim(
    "after the preflight, the request itself still needs its authorization",
    section="Access to the API",
)
def test_allowed_origin_still_needs_authorization(either_stack: DeployedStack) -> None:
    answer = either_stack.send("GET", f"{either_stack.outputs['api_url']}/receipts", {"Origin": ORIGIN}, None)

    assert answer.status in {401, 403}


@pytest.mark.claim("without allowedOrigins there are no CORS headers at all", section="Access to the API")
@pytest.mark.parametrize("origin", [ORIGIN, "null"])
def test_stack_without_origins_has_no_cors(neighbour: DeployedStack, origin: str) -> None:
    assert cors_headers(preflight(neighbour, "GET", "/receipts", origin)) == {}


@pytest.mark.claim(
    "only pages of the configured origins may send files to the bucket", section="Access to the API"
)
@pytest.mark.parametrize(("origin", "status"), [(ORIGIN, 200), *((origin, 403) for origin in FOREIGN)])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_bucket_takes_files_from_pages_of_an_allowed_origin(
    stack: DeployedStack, origin: str, status: int, method: str
) -> None:
    url = f"{stack.emulator.endpoint_url}/{stack.bucket}/receipt.png"

    answer = stack.send("OPTIONS", url, {"Origin": origin, "Access-Control-Request-Method": method}, None)

    assert answer.status == status
    assert answer.headers.get("access-control-allow-origin") == (ORIGIN if status == 200 else None)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_pages_cannot_read_or_delete_uploads(stack: DeployedStack, method: str) -> None:
    url = f"{stack.emulator.endpoint_url}/{stack.bucket}/receipt.png"

    answer = stack.send("OPTIONS", url, {"Origin": ORIGIN, "Access-Control-Request-Method": method}, None)

    assert answer.status == 403
