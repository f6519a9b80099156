"""S3 and DynamoDB in memory, as far as the sealer uses them: tests crash it thousands of times."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from functions.contract.sealing import LOCK_KEY
from local.in_process import dynamodb
from local.in_process.dynamodb import Table, ledger_table


class ConditionalCheckFailedException(ClientError):  # noqa: N818 (AWS's name)
    pass


class NoSuchKey(ClientError):  # noqa: N818 (AWS's name)
    pass


def _error(code: str, kind: type[ClientError] = ClientError) -> ClientError:
    return kind({"Error": {"Code": code, "Message": code}}, "call")


@dataclass(kw_only=True)
class MemoryDynamoDb:
    """The tables `ledger` and `lock`."""

    tables: dict[str, Table] = field(
        default_factory=lambda: {"ledger": ledger_table(), "lock": Table(keys=(LOCK_KEY,))}
    )

    read_units: float = 0
    write_units: float = 0

    class exceptions:  # noqa: N801 (botocore's name)
        ConditionalCheckFailedException = ConditionalCheckFailedException

    def _call(self, operation: str, request: Any) -> Any:
        answer = dynamodb.call(self.tables, operation, request)
        self.read_units += answer.read_units
        # What is put, the processor pays for.
        self.write_units += answer.write_units if operation == "UpdateItem" else 0
        if answer.status != 200:
            raise _error("ConditionalCheckFailedException", ConditionalCheckFailedException)
        return json.loads(answer.body)

    def query(self, **request: Any) -> Any:
        return self._call("Query", request)

    def get_item(self, **request: Any) -> Any:
        return self._call("GetItem", request)

    def put_item(self, **request: Any) -> Any:
        return self._call("PutItem", request)

    def update_item(self, **request: Any) -> Any:
        return self._call("UpdateItem", request)


@dataclass(kw_only=True)
class MemoryS3:
    """The objects of one bucket, as they were put last."""

    objects: dict[str, Any] = field(default_factory=dict)

    class exceptions:  # noqa: N801 (botocore's name)
        NoSuchKey = NoSuchKey

    def put_object(self, *, Key: str, Body: bytes, **request: Any) -> Any:  # noqa: N803 (AWS's names)
        standing = self.objects.get(Key)
        if "IfNoneMatch" in request and standing:
            raise _error("PreconditionFailed")
        if "IfMatch" in request:
            if not standing:
                raise _error("NoSuchKey", NoSuchKey)
            if standing["ETag"] != request["IfMatch"]:
                raise _error("PreconditionFailed")
        self.objects[Key] = {**request, "data": Body, "ETag": hashlib.md5(Body).hexdigest()}  # noqa: S324
        return {}

    def get_object(self, *, Key: str, **_: Any) -> Any:  # noqa: N803 (AWS's name)
        if Key not in self.objects:
            raise _error("NoSuchKey", NoSuchKey)
        found = self.objects[Key]
        return {**found, "Body": io.BytesIO(found["data"])}
