"""AWS for the function tests: moto in this process, invented credentials, and no network."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Final, NoReturn

import boto3
import botocore.session
import pytest
from botocore.loaders import create_loader
from moto import mock_aws
from moto.dynamodb.models.table import Table

from functions import log
from functions.processor import processor
from local.in_process.events import BUCKET
from tests.functions.account import ENVIRONMENT, Account, Calls, Clock, LedgerTable
from tests.ledger_table import create_ledger_table

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION: Final = "eu-central-1"

SERVICE_MODELS = create_loader()
"""botocore's descriptions of the services. Reading them takes long, so all sessions share them."""


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No real credentials or profiles can be used, and a connection that gets past moto is refused."""

    def refuse(_: socket.socket, address: object) -> NoReturn:
        raise AssertionError(f"a function test tried to connect to {address!r}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(botocore.session, "create_loader", lambda *_: SERVICE_MODELS)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """An AWS account of this test's own, empty at first."""
    put_item, lock = Table.put_item, threading.Lock()

    def put_item_atomically(*args: Any, **kwargs: Any) -> Any:
        # DynamoDB checks a condition and writes in one step. In moto, another thread can come in between.
        with lock:
            return put_item(*args, **kwargs)

    monkeypatch.setattr(Table, "put_item", put_item_atomically)
    with mock_aws():
        session = boto3.Session()
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        yield session


@pytest.fixture
def ledger_table(aws: boto3.Session) -> Iterator[LedgerTable]:
    with contextlib.closing(aws.client("dynamodb")) as client:
        create_ledger_table(client, "ledger")
        yield LedgerTable(name="ledger", client=client)


@pytest.fixture
def account(
    aws: boto3.Session,
    ledger_table: LedgerTable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Account]:
    """A versioned bucket, the ledger, and the functions with their environment, before any invocation."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    calls, clock = Calls(), Clock()
    monkeypatch.setattr(boto3, "client", calls.watched(boto3.client))
    monkeypatch.setattr(processor, "datetime", clock)
    monkeypatch.setattr(log._formatter, "aws_request_id", None)
    with contextlib.closing(aws.client("s3")) as s3:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield Account(s3=s3, table=ledger_table, calls=calls, clock=clock, capsys=capsys)
