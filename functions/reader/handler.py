"""The reader's entry point in Lambda.

Clients and routes are made on import, once per execution environment: Lambda gives initialisation more CPU
than a small function has later.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3

from functions.api.clients import CLIENT_CONFIG
from functions.api.resolver import logger
from functions.ledger.store import LedgerStore
from functions.ledger.time_index import TimeIndex
from functions.reader.app import reader_app
from functions.reader.settings import read_settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_settings = read_settings(os.environ)
_dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
_app = reader_app(
    read_index=TimeIndex(_dynamodb, _settings.ledger_table).read,
    store=LedgerStore(_dynamodb, _settings.ledger_table, _settings.ledger_shards),
    shards=_settings.ledger_shards,
)


@logger.inject_lambda_context
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP API request (payload format 2.0)."""
    return _app.resolve(event, context)
