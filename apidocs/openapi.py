"""The OpenAPI 3.1 document of the API: the routes that the program deploys, with what the functions check."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeAlias

from apidocs.schemas import Schema, ref, schemas
from components.settings import StackSettings
from functions.contract import routes
from functions.contract.entry import Outcome
from functions.reader.query import DEFAULT_LIMIT, MAX_LIMIT, PARAMETERS

Operation: TypeAlias = dict[str, Any]

VERSION = "1.0.0"
"""The API's semantic version: a change that could break a caller needs a new major version."""

JSON, PROBLEM = "application/json", "application/problem+json"


def openapi_document() -> dict[str, Any]:
    """Make the document. Every route of the program is in it; raise KeyError for one that isn't described."""
    scopes = dict.fromkeys(routes.READ, StackSettings.jwt_read_scope)
    scopes |= dict.fromkeys(routes.UPLOAD, StackSettings.jwt_upload_scope)
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


def _list_receipts() -> Operation:
    parameters = {
        "outcome": ({"type": "string", "enum": list(Outcome)}, "Only entries with this outcome."),
        "from": (
            {"type": "string", "format": "date-time"},
            "Only entries that were recorded at this time or later.",
        ),
        "to": (
            {"type": "string", "format": "date-time"},
            "Only entries that were recorded before this time.",
        ),
        "limit": (
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            "The maximum number of entries in a page.",
        ),
        "cursor": (
            {"type": "string"},
            "The `next_cursor` of a page with the same `outcome`, `from` and `to`. `limit` may differ.",
        ),
    }
    return {
        "operationId": "listReceipts",
        "summary": "List the entries of the ledger, newest first",
        "description": "Unknown and repeated parameters are refused.",
        "parameters": [
            {"name": name, "in": "query", "schema": schema, "description": description}
            for name, (schema, description) in ((name, parameters[name]) for name in PARAMETERS)
        ],
        "responses": {
            **_answer(HTTPStatus.OK, "A page of entries", "Page"),
            **_problem(
                HTTPStatus.BAD_REQUEST,
                "Some parameters are wrong; all are named",
                "InvalidParameters",
            ),
            **_common_responses(),
        },
    }


def _show_receipt() -> Operation:
    return {
        "operationId": "showReceipt",
        "summary": "Show everything the ledger has on a fingerprint",
        "parameters": [{"name": "fingerprint", "in": "path", "required": True, "schema": ref("Fingerprint")}],
        "responses": {
            **_answer(HTTPStatus.OK, "The receipt, its duplicates and rejections, newest first", "History"),
            **_problem(HTTPStatus.BAD_REQUEST, "The path has no valid fingerprint", "InvalidParameters"),
            **_problem(HTTPStatus.NOT_FOUND, "The ledger has no entry with this fingerprint", "Problem"),
            **_common_responses(),
        },
    }


def _prepare_upload() -> Operation:
    return {
        "operationId": "prepareUpload",
        "summary": "Request an upload form for one receipt",
        "requestBody": {"required": True, "content": {JSON: {"schema": ref("UploadRequest")}}},
        "responses": {
            **_answer(HTTPStatus.CREATED, "A form with which S3 accepts exactly this file", "UploadForm"),
            **_problem(
                HTTPStatus.BAD_REQUEST,
                "The body is not a JSON object, or some members are wrong; the answer names all of them",
                "InvalidParameters",
                "Problem",
            ),
            **_problem(HTTPStatus.CONFLICT, "These bytes have already been accepted", "AlreadyAccepted"),
            **_problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "The receipt is larger than the stack accepts, or the body is too long",
                "InvalidParameters",
                "Problem",
            ),
            **_problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body's content type is not JSON", "Problem"),
            **_common_responses(),
        },
    }


_OPERATIONS = {
    routes.LIST_RECEIPTS: _list_receipts,
    routes.SHOW_RECEIPT: _show_receipt,
    routes.REQUEST_FORM: _prepare_upload,
}


def _common_responses() -> dict[str, Schema]:
    """Describe the errors of every operation: what API Gateway refuses, and what fails behind it."""
    return {
        **_gateway(HTTPStatus.UNAUTHORIZED, "The token is missing or not valid (`apiAuth: jwt`)"),
        **_gateway(
            HTTPStatus.FORBIDDEN,
            "No valid signature, permission or scope for this request",
        ),
        **_gateway(HTTPStatus.TOO_MANY_REQUESTS, "The stack received too many requests; try again later"),
        **_failure(HTTPStatus.INTERNAL_SERVER_ERROR, "An error in the stack"),
        **_failure(HTTPStatus.SERVICE_UNAVAILABLE, "A service behind the API is busy; try again"),
    }


def _answer(status: HTTPStatus, description: str, schema: str) -> dict[str, Schema]:
    return _response(status, description, {JSON: ref(schema)})


def _problem(status: HTTPStatus, description: str, *names: str) -> dict[str, Schema]:
    schema = ref(names[0]) if len(names) == 1 else {"anyOf": [ref(name) for name in names]}
    return _response(status, description, {PROBLEM: schema})


def _gateway(status: HTTPStatus, description: str) -> dict[str, Schema]:
    return _response(status, description, {JSON: ref("GatewayMessage")})


def _failure(status: HTTPStatus, description: str) -> dict[str, Schema]:
    return _response(status, description, {PROBLEM: ref("Failure"), JSON: ref("GatewayMessage")})


def _response(status: HTTPStatus, description: str, content: dict[str, Schema]) -> dict[str, Schema]:
    media_types = {media_type: {"schema": schema} for media_type, schema in content.items()}
    return {str(int(status)): {"description": description, "content": media_types}}
