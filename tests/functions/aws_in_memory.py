"""S3 and DynamoDB in memory, as far as the processor uses them: requests in, answers as bytes out.

They do what moto does (`tests.functions.test_aws_in_memory` compares them), many times faster, and the time
index lags behind the table as it may on AWS.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import operator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.awsrequest import AWSResponse, HeadersDict
from urllib3 import HTTPResponse

from functions.contract import schema
from functions.contract.entry import ObjectVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

INDEX_LAG = timedelta(seconds=30)
"""How long an entry isn't in the time index yet: mostly milliseconds, but nobody promises any limit."""

INDEX_PAGE = 3
"""How many items a page of a query examines: few, so that there are several pages."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a service answers, as it goes over the line."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def response(self, url: str, *, arrived: int | None = None) -> AWSResponse:
        """Make botocore's response of it, of whose body only ``arrived`` bytes do."""
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        raw = HTTPResponse(
            body=io.BytesIO(self.body[:arrived]),
            headers=headers,
            status=self.status,
            preload_content=False,
            decode_content=False,
        )
        return AWSResponse(url, self.status, HeadersDict(headers), raw)  # type: ignore[arg-type]


class VersionedBucket:
    """S3, as far as reading exact versions goes. A delete marker hides a key and takes no version away."""

    def __init__(self) -> None:
        self.held: dict[ObjectVersion, bytes] = {}

    def get_object(self, url: str) -> Answer:
        parts = urlsplit(url)
        version = ObjectVersion(
            bucket=parts.netloc.partition(".")[0],
            key=unquote(parts.path[1:]),
            version_id=parse_qs(parts.query)["versionId"][0],
        )
        if version not in self.held:
            return s3_error(404, "NoSuchVersion")
        data = self.held[version]
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        return Answer(
            headers={"x-amz-checksum-sha256": digest, "x-amz-checksum-type": "FULL_OBJECT"}, body=data
        )


@dataclass(frozen=True, kw_only=True)
class StoredItem:
    """An item, and when it was written."""

    item: schema.Item
    written_at: datetime


class Table:
    """DynamoDB, as far as the ledger uses it: conditional puts, and queries of the time index that lags."""

    def __init__(self, now: Callable[[], datetime], lag: timedelta = INDEX_LAG) -> None:
        self._now = now
        self._lag = lag
        self.stored: dict[tuple[str, str], StoredItem] = {}

    def put_item(self, request: dict[str, Any]) -> Answer:
        item: schema.Item = request["Item"]
        key = (item[schema.FINGERPRINT]["S"], item[schema.ENTRY]["S"])
        standing = self.stored[key].item if key in self.stored else {}
        if not holds(request.get("ConditionExpression"), standing, request):
            shown = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and standing
            return dynamodb_error(
                400,
                "ConditionalCheckFailedException",
                **({"Item": standing} if shown else {}),
            )
        self.stored[key] = StoredItem(item=item, written_at=self._now())
        return dynamodb_answer({})

    def query(self, request: dict[str, Any]) -> Answer:
        if request.get("IndexName") != schema.TIME_INDEX or not request.get("ScanIndexForward", True):
            raise NotImplementedError(f"the table in memory knows no query like {request}")
        start = request.get("ExclusiveStartKey", {}).get(schema.RECORDED, {"S": ""})["S"]
        items = [
            stored.item
            for stored in self.stored.values()
            if schema.RECORDED in stored.item
            and stored.written_at + self._lag <= self._now()
            and holds(request["KeyConditionExpression"], stored.item, request)
        ]
        items.sort(key=lambda item: item[schema.RECORDED]["S"])
        rest = [item for item in items if item[schema.RECORDED]["S"] > start]
        examined = rest[: request.get("Limit", INDEX_PAGE)]
        found = [item for item in examined if holds(request.get("FilterExpression"), item, request)]
        body: dict[str, Any] = {"Items": found, "Count": len(found), "ScannedCount": len(examined)}
        if len(examined) < len(rest):
            last = examined[-1]
            keys = (schema.FINGERPRINT, schema.ENTRY, schema.MONTH_SHARD, schema.RECORDED)
            body["LastEvaluatedKey"] = {name: last[name] for name in keys}
        return dynamodb_answer(body)


COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(expression: str | None, item: schema.Item, request: dict[str, Any]) -> bool:
    """Evaluate a DynamoDB expression: ``attribute_not_exists``, and comparisons of texts, joined by AND."""
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    for term in (expression or "").split(" AND "):
        match term.split():
            case []:
                continue
            case [call] if call.startswith("attribute_not_exists(") and call.endswith(")"):
                name = call.removeprefix("attribute_not_exists(").removesuffix(")")
                if names.get(name, name) in item:
                    return False
            case [name, comparison, value] if comparison in COMPARISONS:
                attribute = item.get(names.get(name, name))
                if attribute is None or not COMPARISONS[comparison](attribute["S"], values[value]["S"]):
                    return False
            case _:
                raise NotImplementedError(f"the table in memory cannot evaluate {term!r}")
    return True


def dynamodb_answer(body: dict[str, Any], status: int = 200) -> Answer:
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    return Answer(status=status, headers=headers, body=json.dumps(body).encode())


def dynamodb_error(status: int, code: str, **more: Any) -> Answer:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **more}
    return dynamodb_answer(body, status)


def s3_error(status: int, code: str) -> Answer:
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>no</Message></Error>'
    return Answer(status=status, headers={"Content-Type": "application/xml"}, body=xml.encode())


def throttled(operation: str) -> Answer:
    if operation == "GetObject":
        return s3_error(503, "SlowDown")
    return dynamodb_error(400, "ProvisionedThroughputExceededException")


def server_error(operation: str) -> Answer:
    if operation == "GetObject":
        return s3_error(500, "InternalError")
    return dynamodb_error(500, "InternalServerError")


def forbidden(operation: str) -> Answer:
    if operation == "GetObject":
        return s3_error(403, "AccessDenied")
    return dynamodb_error(400, "AccessDeniedException")
