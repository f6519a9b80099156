"""The three functions as they are deployed, on one moto account, with their calls and log lines in view."""

from __future__ import annotations

import importlib
import io
import logging
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.log import JsonFormatter, logger
from functions.processor import handler as processor
from tests.functions.conftest import aws, ledger_table, region, uploads_bucket
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
    make_client = boto3.client

    def watched_client(*args: Any, **kwargs: Any) -> Any:
        client = make_client(*args, **kwargs)
        client.meta.events.register(
            "before-call", lambda model, **_: calls.append(model.name), unique_id="watch"
        )
        return client

    monkeypatch.setattr(boto3, "client", watched_client)
    for name in ("functions.reader.handler", "functions.uploads.handler"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    clock = Clock()
    monkeypatch.setattr(processor, "datetime", clock)
    processor.shared_recorder.cache_clear()

    log = io.StringIO()
    copy = logging.StreamHandler(log)
    copy.setFormatter(JsonFormatter())
    logger.addHandler(copy)
    yield Account(
        bucket=uploads_bucket,
        table=ledger_table,
        reader=importlib.import_module("functions.reader.handler").handle,
        uploads=importlib.import_module("functions.uploads.handler").handle,
        calls=calls,
        log=log,
        clock=clock,
    )
    logger.removeHandler(copy)
    processor.shared_recorder.cache_clear()
