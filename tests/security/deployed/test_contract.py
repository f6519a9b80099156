"""The deployed API does what docs/openapi.json says."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, assume, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from functions.contract import schema
from functions.contract.entry import ObjectVersion
from generator.openapi import openapi_document
from tests.local.stack import MAX_RECEIPT_BYTES, DeployedStack, Object, declared, png
from tests.security.deployed.conftest import WATCHED
from tests.security.deployed.roles import Grant, roles_of


def closed(value: Any) -> Any:
    """The document, in which no object has other members than those that are named."""
    if isinstance(value, list):
        return [closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {name: closed(item) for name, item in value.items()}
    is_object = copy.get("type") == "object" and "properties" in copy
    return {"additionalProperties": False, **copy} if is_object else copy


API = schemathesis.openapi.from_dict(closed(openapi_document()))

CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
]


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Signs requests of the `requests` package as an administrator, whom IAM refuses no path."""

    stack: DeployedStack

    def __call__(self, prepared: Any) -> Any:
        administrator = self.stack.administrator
        # Signature Version 4 only allows this spelling of a space.
        prepared.url = prepared.url.replace("+", "%20")
        request = AWSRequest(method=prepared.method, url=prepared.url, data=prepared.body)
        key = Credentials(administrator.key.id, administrator.key.secret)
        SigV4Auth(key, "execute-api", administrator.region).add_auth(request)
        prepared.headers.update(request.headers.items())
        return prepared


def send(stack: DeployedStack, case: schemathesis.Case[Any], **changes: Any) -> Any:
    """Send a request, and compare the response with the document."""
    return case.call_and_validate(
        base_url=stack.outputs["api_url"],
        **{
            "checks": CHECKS,
            "auth": Signature(stack=stack),
            "verify": str(stack.administrator.ca_bundle),
            **changes,
        },
    )


@pytest.mark.claim(
    "a deployed API answers any request, valid or not, as docs/openapi.json describes and never with a 5xx; "
    "it refuses what the document doesn't allow",
    section="Access to the API",
)
@API.parametrize()
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
def test_any_request_is_answered_as_documented(stack: DeployedStack, case: schemathesis.Case[Any]) -> None:
    # In the emulator's IAM, no wildcard matches a line break, so a path with one is denied.
    assume(not any("\n" in unquote(str(part)) for part in (case.path_parameters or {}).values()))
    send(stack, case)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A stack that has an entry with each outcome."""

    stack: DeployedStack
    receipt: Object
    rejection: Object
    lost: Object
    unsealed: Object
    former: str


@pytest.fixture(scope="module")
def ledger(stack: DeployedStack) -> Ledger:
    content = png()
    receipt = stack.upload(f"{WATCHED}first.png", content)
    stack.entry_of(receipt)
    again = stack.upload(f"{WATCHED}again.png", content)
    rejection = stack.upload(f"{WATCHED}notes.txt", uuid.uuid4().bytes)
    outcomes = [entry["outcome"] for entry in stack.entries_of(receipt, again, rejection)]
    assert outcomes == ["ACCEPTED", "DUPLICATE", "REJECTED"]
    lost = stack.upload(f"{WATCHED}lost.png", png())
    stack.entry_of(lost)
    stack.administrator.client("s3").delete_object(
        Bucket=stack.bucket, Key=lost.key, VersionId=lost.version_id
    )
    stack.seal()
    former = former_receipt(stack, receipt)
    unsealed = stack.upload(f"{WATCHED}unsealed.png", png())
    stack.entry_of(unsealed)
    return Ledger(
        stack=stack, receipt=receipt, rejection=rejection, lost=lost, unsealed=unsealed, former=former
    )


def former_receipt(stack: DeployedStack, receipt: Object) -> str:
    """Have a receipt from before the stack's upload prefix changed, and return its fingerprint.

    It was recorded an hour ago, and isn't sealed.
    """
    dynamodb, table = stack.administrator.client("dynamodb"), stack.outputs["ledger_table"]
    key = {"fingerprint": {"S": str(receipt.fingerprint)}, "entry": {"S": "RECEIPT"}}
    item = dynamodb.get_item(TableName=table, Key=key)["Item"]
    fingerprint = uuid.uuid4().hex * 2
    version = ObjectVersion(bucket=stack.bucket, key="former/first.png", version_id=str(receipt.version_id))
    recorded = schema.recorded_key(datetime.now(UTC) - timedelta(hours=1), version)
    item |= {"fingerprint": {"S": fingerprint}, "key": {"S": version.key}, schema.RECORDED: {"S": recorded}}
    dynamodb.put_item(TableName=table, Item=item)
    return fingerprint


LIST, SHOW = ("GET", "/receipts"), ("GET", "/receipts/{fingerprint}")
PROOF, LOG = ("GET", "/receipts/{fingerprint}/proof"), ("GET", "/log/{proxy}")
FILE = ("GET", "/files/{fingerprint}")
LOOK_UP, UPLOAD = ("POST", "/receipts/lookup"), ("POST", "/uploads")
Request = Callable[[Ledger], dict[str, Any]]


def body(**changes: Any) -> Request:
    return lambda _: {"body": declared(png()) | changes, "media_type": "application/json"}


def fingerprint(text: str) -> Request:
    return lambda _: {"path_parameters": {"fingerprint": text}}


def of_version(uploaded: Object, version_id: str) -> dict[str, Any]:
    return {
        "path_parameters": {"fingerprint": uploaded.fingerprint},
        "query": {"version": version_id},
    }


def look_up(*fingerprints: str) -> Request:
    return lambda _: {"body": {"fingerprints": [*fingerprints]}, "media_type": "application/json"}


SITUATIONS: list[tuple[tuple[str, str], int, Request]] = [
    (LIST, 200, lambda _: {}),
    (LIST, 200, lambda _: {"query": {"limit": 1}}),
    (LIST, 400, lambda _: {"query": {"limit": 0, "cursor": "x", "unknown": "x"}}),
    (SHOW, 200, lambda ledger: {"path_parameters": {"fingerprint": ledger.receipt.fingerprint}}),
    (SHOW, 200, lambda ledger: {"path_parameters": {"fingerprint": ledger.rejection.fingerprint}}),
    (SHOW, 400, fingerprint("x")),
    (SHOW, 404, fingerprint("0" * 64)),
    (PROOF, 200, lambda ledger: {"path_parameters": {"fingerprint": ledger.receipt.fingerprint}}),
    (PROOF, 202, lambda ledger: {"path_parameters": {"fingerprint": ledger.unsealed.fingerprint}}),
    (PROOF, 400, lambda _: {"path_parameters": {"fingerprint": "0" * 64}, "query": {"object_id": "x"}}),
    (PROOF, 404, fingerprint("0" * 64)),
    (PROOF, 409, lambda ledger: {"path_parameters": {"fingerprint": ledger.former}}),
    (LOG, 200, lambda _: {"path_parameters": {"proxy": "checkpoint"}}),
    (LOG, 404, lambda _: {"path_parameters": {"proxy": "staging"}}),
    (FILE, 200, lambda ledger: {"path_parameters": {"fingerprint": ledger.receipt.fingerprint}}),
    (FILE, 200, lambda ledger: of_version(ledger.rejection, ledger.rejection.version_id)),
    (FILE, 400, lambda ledger: of_version(ledger.receipt, "")),
    (FILE, 404, fingerprint("0" * 64)),
    (FILE, 404, lambda ledger: of_version(ledger.receipt, ledger.rejection.version_id)),
    (FILE, 409, lambda ledger: {"path_parameters": {"fingerprint": ledger.former}}),
    (FILE, 410, lambda ledger: {"path_parameters": {"fingerprint": ledger.lost.fingerprint}}),
    (FILE, 410, lambda ledger: of_version(ledger.lost, ledger.lost.version_id)),
    (LOOK_UP, 200, look_up("0" * 64)),
    (LOOK_UP, 200, lambda ledger: look_up(str(ledger.receipt.fingerprint))(ledger)),
    (LOOK_UP, 400, look_up("x")),
    (LOOK_UP, 413, look_up("x" * 20_000)),
    (LOOK_UP, 415, lambda _: {"body": "{}", "media_type": "text/plain"}),
    (UPLOAD, 201, body()),
    (UPLOAD, 400, body(filename="", size_bytes=0, fingerprint="x")),
    (UPLOAD, 400, lambda _: {"body": [], "media_type": "application/json"}),
    (UPLOAD, 409, lambda ledger: body(fingerprint=ledger.receipt.fingerprint)(ledger)),
    (UPLOAD, 201, lambda ledger: body(fingerprint=ledger.receipt.fingerprint, again=True)(ledger)),
    (UPLOAD, 413, body(size_bytes=MAX_RECEIPT_BYTES + 1)),
    (UPLOAD, 413, body(filename="x" * 20_000)),
    (UPLOAD, 415, lambda _: {"body": "{}", "media_type": "text/plain"}),
]

DESCRIBED = [*CHECKS[1:-1]]
"""The checks for any request, and also for failures."""


def new_case(operation: tuple[str, str], request: Mapping[str, Any]) -> schemathesis.Case[Any]:
    method, path = operation
    case: schemathesis.Case[Any] = API[path][method].Case(**request)
    return case


@pytest.mark.parametrize(("operation", "status", "request_of"), SITUATIONS)
def test_situation_is_answered_as_documented(
    ledger: Ledger, operation: tuple[str, str], status: int, request_of: Request
) -> None:
    response = send(ledger.stack, new_case(operation, request_of(ledger)), checks=DESCRIBED)

    assert response.status_code == status


REFUSALS: dict[tuple[str, str], Request] = {
    LIST: lambda _: {},
    SHOW: fingerprint("0" * 64),
    PROOF: fingerprint("0" * 64),
    LOG: lambda _: {"path_parameters": {"proxy": "checkpoint"}},
    FILE: fingerprint("0" * 64),
    LOOK_UP: look_up("0" * 64),
    UPLOAD: body(),
}


@pytest.mark.parametrize("operation", REFUSALS)
def test_refusal_is_answered_as_documented(
    ledger: Ledger, token_stack: DeployedStack, operation: tuple[str, str]
) -> None:
    case = new_case(operation, REFUSALS[operation](ledger))

    unsigned = send(ledger.stack, case, auth=None, checks=DESCRIBED)
    without_token = send(
        token_stack, case, auth=None, checks=DESCRIBED, verify=str(token_stack.administrator.ca_bundle)
    )

    assert (unsigned.status_code, without_token.status_code) == (403, 401)


@pytest.mark.parametrize("operation", REFUSALS)
def test_failure_is_answered_as_documented(ledger: Ledger, operation: tuple[str, str]) -> None:
    role = roles_of(ledger.stack)[{UPLOAD: "upload_forms", FILE: "file_links"}.get(operation, "reader")]

    with role.holding_only([Grant(action="s3:ListBucket", resource="arn:aws:s3:::another")]):
        response = send(ledger.stack, new_case(operation, REFUSALS[operation](ledger)), checks=DESCRIBED)

    assert response.status_code == 500


def test_every_documented_answer_was_seen() -> None:
    documented = {
        (method.upper(), path, int(status))
        for path, item in openapi_document()["paths"].items()
        for method, operation in item.items()
        for status in operation["responses"]
    }
    seen = {(*operation, status) for operation, status, _ in SITUATIONS}
    # Refusals and failures, seen above, and what the emulator doesn't do: throttling, and a busy AWS.
    seen |= {(*operation, status) for operation in REFUSALS for status in (401, 403, 500, 429, 503)}

    assert documented == seen


@pytest.mark.claim(
    "a stack has exactly the routes of docs/openapi.json, each with its authorization",
    section="Access to the API",
)
@pytest.mark.parametrize(("fixture", "scheme"), [("stack", "sigv4"), ("token_stack", "bearer")])
def test_deployed_routes_are_the_documented_ones(
    request: pytest.FixtureRequest, fixture: str, scheme: str
) -> None:
    deployed: DeployedStack = request.getfixturevalue(fixture)
    api_id = deployed.outputs["api_url"].rpartition("/")[2]

    routes = deployed.administrator.client("apigatewayv2").get_routes(ApiId=api_id)["Items"]

    types = {"AWS_IAM": "sigv4", "JWT": "bearer"}
    found = {
        route["RouteKey"].replace("+}", "}"): {
            types[route["AuthorizationType"]]: route.get("AuthorizationScopes", [])
        }
        for route in routes
    }
    documented = {
        f"{method.upper()} {path}": next(one for one in operation["security"] if scheme in one)
        for path, item in openapi_document()["paths"].items()
        for method, operation in item.items()
    }
    assert found == documented
