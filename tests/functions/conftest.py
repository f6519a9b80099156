"""AWS for the function tests: moto in this process, made-up credentials, and no way out to a network."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

import boto3
import botocore.loaders
import botocore.session
import pytest
from moto import mock_aws
from moto.dynamodb.models.table import Table

from functions import log
from functions.contract import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

REGION: Final = "eu-central-1"


SERVICE_MODELS = botocore.loaders.create_loader()
"""botocore's descriptions of the services, read once for all tests: reading them is what takes long."""


@dataclass(frozen=True, kw_only=True)
class LedgerTable:
    """An empty ledger table in moto."""

    name: str
    client: DynamoDBClient


@dataclass(frozen=True, kw_only=True)
class UploadsBucket:
    """An empty, versioned bucket in moto."""

    name: str
    client: S3Client


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Nobody's real credentials or profile are in reach, and a connection that gets past moto is refused."""

    def refuse(_: socket.socket, address: object) -> NoReturn:
        raise AssertionError(f"a function test tried to connect to {address!r}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "SERVICE_NAME": "test",
        "STACK_NAME": "test",
    }.items():
        monkeypatch.setenv(name, value)
    return REGION


@pytest.fixture(autouse=True)
def between_invocations(monkeypatch: pytest.MonkeyPatch) -> None:
    """No invocation has begun yet: an id in a line is of one that the test began itself."""
    monkeypatch.setattr(log._formatter, "aws_request_id", log.JsonFormatter.aws_request_id)


@pytest.fixture
def aws(region: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """An AWS account of this test's own, empty at first."""
    put_item, lock = Table.put_item, threading.Lock()

    def put_item_atomically(*args: Any, **kwargs: Any) -> Any:
        # DynamoDB checks a condition and writes in one step; moto in two, between which threads can come.
        with lock:
            return put_item(*args, **kwargs)

    monkeypatch.setattr(Table, "put_item", put_item_atomically)
    with mock_aws():
        core = botocore.session.get_session()
        core.register_component("data_loader", SERVICE_MODELS)
        session = boto3.Session(botocore_session=core, region_name=region)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        yield session


@pytest.fixture
def ledger_table(aws: boto3.Session) -> Iterator[LedgerTable]:
    """The ledger's table, with the keys and the index that the program gives it."""
    with contextlib.closing(aws.client("dynamodb")) as client:
        client.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"}
                for name in (schema.FINGERPRINT, schema.ENTRY, schema.MONTH_SHARD, schema.RECORDED)
            ],
            KeySchema=[
                {"AttributeName": schema.FINGERPRINT, "KeyType": "HASH"},
                {"AttributeName": schema.ENTRY, "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": schema.TIME_INDEX,
                    "KeySchema": [
                        {"AttributeName": schema.MONTH_SHARD, "KeyType": "HASH"},
                        {"AttributeName": schema.RECORDED, "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        yield LedgerTable(name="ledger", client=client)


@pytest.fixture
def uploads_bucket(aws: boto3.Session) -> Iterator[UploadsBucket]:
    """The uploads bucket, versioned as the program makes it."""
    with contextlib.closing(aws.client("s3")) as client:
        client.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": REGION})
        client.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
        yield UploadsBucket(name="uploads", client=client)
