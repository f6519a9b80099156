"""The three functions as they are deployed, on one moto account, with their calls and log lines in view."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.log import JsonFormatter, logger
from functions.processor import processor
from tests.functions.conftest import aws, ledger_table, region, uploads_bucket
from tests.functions.examples import entry_point
from tests.security.account import ENVIRONMENT, Account, Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.conftest import LedgerTable, UploadsBucket

__all__ = ["account", "aws", "ledger_table", "region", "uploads_bucket"]


@pytest.fixture
def account(
    uploads_bucket: UploadsBucket, ledger_table: LedgerTable, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    """A bucket, a ledger, and the handlers of all functions, freshly imported with their settings."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    calls: list[str] = []
    trouble: list[Exception] = []
    make_client = boto3.client

    def watch(model: Any, **_: Any) -> None:
        calls.append(model.name)
        for error in trouble:
            raise error

    def watched_client(*args: Any, **kwargs: Any) -> Any:
        client = make_client(*args, **kwargs)
        client.meta.events.register("before-call", watch, unique_id="watch")
        return client

    monkeypatch.setattr(boto3, "client", watched_client)
    clock = Clock()
    monkeypatch.setattr(processor, "datetime", clock)

    log = io.StringIO()
    copy = logging.StreamHandler(log)
    copy.setFormatter(JsonFormatter())
    logger.addHandler(copy)
    yield Account(
        bucket=uploads_bucket,
        table=ledger_table,
        processor=entry_point("processor"),
        reader=entry_point("reader"),
        upload_forms=entry_point("upload_forms"),
        calls=calls,
        trouble=trouble,
        log=log,
        clock=clock,
    )
    logger.removeHandler(copy)
