"""AWS for the function tests: moto in this process, made-up credentials, and no way out to a network."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import boto3
import pytest
from moto import mock_aws

from functions.ledger import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

REGION = "eu-central-1"


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
def isolated_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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
        "POWERTOOLS_SERVICE_NAME": "test",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def aws(isolated_environment: None) -> Iterator[None]:
    """An AWS account of this test's own, empty at first."""
    with mock_aws():
        yield


@pytest.fixture
def ledger_table(aws: None) -> Iterator[LedgerTable]:
    """The ledger's table, with the keys and the index that the program gives it."""
    with contextlib.closing(boto3.client("dynamodb")) as client:
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
def uploads_bucket(aws: None) -> Iterator[UploadsBucket]:
    """The uploads bucket, versioned as the program makes it."""
    with contextlib.closing(boto3.client("s3")) as client:
        client.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": REGION})
        client.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
        yield UploadsBucket(name="uploads", client=client)
