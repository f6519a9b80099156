"""The OpenAPI 3.1 document of the API: the routes that the program deploys, and what the functions check."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, TypeAlias

from components.settings import StackSettings
from functions.contract import http_api
from functions.contract.entry import ContentFinding, Outcome, Reason
from functions.contract.http_api import LEAST_DIGITS, MAX_LIMIT, MAX_SEARCH_BYTES, PARAMETERS
from functions.reader.query import DEFAULT_LIMIT
from generator.schemas import Schema, ref, schemas

Operation: TypeAlias = dict[str, Any]
Response: TypeAlias = tuple[HTTPStatus, str, *tuple[str, ...]]
"""A status, its meaning, and the names of the body's schemas."""

VERSION = "1.0.0"
"""The API's semantic version: a change that could break a caller needs a new major version."""

JSON, PROBLEM = "application/json", "application/problem+json"
WRONG_BODY = "The body is not a JSON object, or has wrong members; the response names all of them"
PROBLEMS = {"Problem", "InvalidParameters", "AlreadyAccepted", "Failure"}


def openapi_document() -> dict[str, Any]:
    """Make the document with every route of the program; raise KeyError if a route isn't described."""
    scopes = dict.fromkeys(http_api.READ_ROUTES, StackSettings.jwt_read_scope)
    scopes |= dict.fromkeys(http_api.FILE_ROUTES, StackSettings.jwt_files_scope)
    scopes |= dict.fromkeys(http_api.UPLOAD_ROUTES, StackSettings.jwt_upload_scope)
    paths: dict[str, dict[str, Operation]] = {}
    for route, scope in scopes.items():
        method, path = route.split(" ")
        security = {"security": [{"sigv4": []}, {"bearer": [scope]}]}
        paths.setdefault(path, {})[method.lower()] = {**_OPERATIONS[route](), **security}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Bill-E",
            "version": VERSION,
            "summary": "The ledger of receipts",
            "description": "All callers of a stack authenticate in the same way: with AWS signatures "
            "(`apiAuth: iam`) or with bearer tokens (`apiAuth: jwt`) that have the scopes in its settings.",
        },
        "servers": [
            {
                "url": "https://{api_id}.execute-api.{region}.amazonaws.com",
                "description": "The output `api_url` of a stack",
                "variables": {"api_id": {"default": "api"}, "region": {"default": "us-east-1"}},
            }
        ],
        "paths": paths,
        "components": {"schemas": schemas(), "securitySchemes": _security_schemes()},
    }


def _security_schemes() -> dict[str, dict[str, str]]:
    return {
        "sigv4": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "x-amazon-apigateway-authtype": "awsSigv4",
            "description": "AWS Signature Version 4 for the service `execute-api`.",
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token of the stack's issuer, for its audience.",
        },
    }


_FINGERPRINT = {"name": "fingerprint", "in": "path", "required": True, "schema": ref("Fingerprint")}


def _list_receipts() -> Operation:
    time = {"type": "string", "format": "date-time"}
    # JSON Schema counts characters, of which the shortest are a byte.
    text = {"type": "string", "minLength": 1, "maxLength": MAX_SEARCH_BYTES}
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    parameters = {
        "outcome": ({"type": "string", "enum": list(Outcome)}, "Only entries with this outcome."),
        "reason": ({"type": "string", "enum": list(Reason)}, "Only entries rejected for this reason."),
        "finding": ({"type": "string", "enum": list(ContentFinding)}, "Only entries with this finding."),
        "key": (text, "Only entries whose key contains this, in the same upper and lower case."),
        "uploader": (
            text,
            "Only entries whose uploader contains this, in the same upper and lower case: the principal, "
            "issuer or subject of the caller that a form proves, or else S3's principal.",
        ),
        "q": (text, "Only entries whose key or uploader contains this."),
        "fingerprint": (
            {"type": "string", "pattern": f"^[0-9a-f]{{{LEAST_DIGITS},64}}$"},
            "Only entries whose fingerprint begins with this.",
        ),
        "from": (time, "Only entries that were recorded at this time or later."),
        "to": (time, "Only entries that were recorded before this time."),
        "limit": (limit, "The maximum number of entries in a page."),
        "cursor": (
            {"type": "string"},
            "The `next_cursor` of a page with the same parameters. Only `limit` may differ.",
        ),
    }
    return {
        "operationId": "listReceipts",
        "summary": "List the entries of the ledger, newest first",
        "description": (
            "Unknown and repeated parameters are refused. The work for a page is limited, so a page may have "
            "fewer entries than `limit`, or none, although more follow. The last page has no `next_cursor`."
        ),
        "parameters": [
            {"name": name, "in": "query", "schema": schema, "description": description}
            for name, (schema, description) in ((name, parameters[name]) for name in PARAMETERS)
        ],
        "responses": _responses(
            (HTTPStatus.OK, "A page of entries", "Page"),
            (HTTPStatus.BAD_REQUEST, "Wrong parameters; the response names all of them", "InvalidParameters"),
        ),
    }


def _show_receipt() -> Operation:
    return {
        "operationId": "showReceipt",
        "summary": "Show everything the ledger has on a fingerprint",
        "parameters": [_FINGERPRINT],
        "responses": _responses(
            (HTTPStatus.OK, "The receipt, its duplicates and rejections, newest first", "History"),
            (HTTPStatus.BAD_REQUEST, "The path has no valid fingerprint", "InvalidParameters"),
            (HTTPStatus.NOT_FOUND, "The ledger has no entry with this fingerprint", "Problem"),
        ),
    }


def _request_file() -> Operation:
    version = {"type": "string", "minLength": 1, "maxLength": http_api.MAX_VERSION_BYTES}
    return {
        "operationId": "requestFile",
        "summary": "Request a link to the file of a receipt, or of an upload that was rejected",
        "description": (
            "The link is for one object version, which somebody may have deleted since, and may have "
            "replaced if its id is `null`: compare the SHA-256 of what arrives with the fingerprint. S3 "
            "returns the file as `application/octet-stream`, for a browser to save, whatever `media_type` is."
        ),
        "parameters": [
            _FINGERPRINT,
            {
                "name": http_api.VERSION,
                "in": "query",
                "schema": version,
                "description": "The `version_id` of an entry with this fingerprint: a receipt, a duplicate "
                "or a rejection. Without it, the link is to the receipt's own object version, or to that of "
                "a duplicate if its own is gone.",
            },
        ],
        "responses": _responses(
            (HTTPStatus.OK, "A link to the file, which can be used for a minute", "FileLink"),
            (HTTPStatus.BAD_REQUEST, "Wrong parameters; the response names all of them", "InvalidParameters"),
            (HTTPStatus.NOT_FOUND, "There is no such receipt, or no entry with this version id", "Problem"),
            (HTTPStatus.CONFLICT, "The file is outside of the stack's present upload prefix", "Problem"),
            (HTTPStatus.GONE, "The object version was deleted for good", "Problem"),
        ),
    }


def _look_up_receipts() -> Operation:
    return {
        "operationId": "lookUpReceipts",
        "summary": "Look up which of many fingerprints have been accepted",
        "description": "It doesn't say whether their object versions are still in the bucket.",
        "requestBody": {"required": True, "content": {JSON: {"schema": ref("LookUpRequest")}}},
        "responses": _responses(
            (HTTPStatus.OK, "The receipts with these fingerprints, in no order", "Receipts"),
            (HTTPStatus.BAD_REQUEST, WRONG_BODY, "InvalidParameters", "Problem"),
            (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too long", "Problem"),
            (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body's content type is not JSON", "Problem"),
        ),
    }


def _prepare_upload() -> Operation:
    too_large = "The receipt is larger than the stack accepts, or the body is too long"
    return {
        "operationId": "prepareUpload",
        "summary": "Request an upload form for one receipt",
        "requestBody": {"required": True, "content": {JSON: {"schema": ref("UploadRequest")}}},
        "responses": _responses(
            (HTTPStatus.CREATED, "A form with which S3 accepts exactly this file", "UploadForm"),
            (HTTPStatus.BAD_REQUEST, WRONG_BODY, "InvalidParameters", "Problem"),
            (HTTPStatus.CONFLICT, "These bytes were accepted before and are still there", "AlreadyAccepted"),
            (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large, "InvalidParameters", "Problem"),
            (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body's content type is not JSON", "Problem"),
        ),
    }


_OPERATIONS = {
    http_api.LIST_RECEIPTS: _list_receipts,
    http_api.SHOW_RECEIPT: _show_receipt,
    http_api.LOOK_UP_RECEIPTS: _look_up_receipts,
    http_api.REQUEST_FILE: _request_file,
    http_api.REQUEST_FORM: _prepare_upload,
}

_OF_EVERY_OPERATION: tuple[Response, ...] = (
    (HTTPStatus.UNAUTHORIZED, "The token is missing or not valid (`apiAuth: jwt`)", "GatewayMessage"),
    (HTTPStatus.FORBIDDEN, "No valid signature, permission or scope for this request", "GatewayMessage"),
    (HTTPStatus.TOO_MANY_REQUESTS, "The stack received too many requests; try again later", "GatewayMessage"),
    (HTTPStatus.INTERNAL_SERVER_ERROR, "An error in the stack", "Failure", "GatewayMessage"),
    (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A service behind the API is busy; try again",
        "Failure",
        "GatewayMessage",
    ),
)


def _responses(*own: Response) -> dict[str, Schema]:
    """Describe the responses of an operation: its own, and those of API Gateway and of failures behind it."""
    return {
        str(int(status)): {"description": description, "content": _content(names)}
        for status, description, *names in (*own, *_OF_EVERY_OPERATION)
    }


def _content(names: Sequence[str]) -> dict[str, Schema]:
    by_type: dict[str, list[Schema]] = {}
    for name in names:
        by_type.setdefault(PROBLEM if name in PROBLEMS else JSON, []).append(ref(name))
    return {
        media_type: {"schema": refs[0] if len(refs) == 1 else {"anyOf": refs}}
        for media_type, refs in by_type.items()
    }
