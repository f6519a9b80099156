"""The reader's entry point in Lambda.

The routes and the client of DynamoDB are made on import, once for each execution environment, because Lambda
gives initialisation more CPU than a small function has later. Most environments never read the log, so the
client of S3 is only made when one does.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from functions.api.responses import CLIENT_CONFIG, respond
from functions.contract.environment import ReaderEnvironment, read_environment
from functions.ledger.lookup import LedgerLookup
from functions.ledger.time_index import TimeIndex
from functions.log import LambdaContext, begin_invocation
from functions.reader.log_routes import log_routes
from functions.reader.routes import reader_routes
from functions.reader.sealed_log import SealedLog

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_environment = read_environment(ReaderEnvironment, os.environ)
_dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
_lookup = LedgerLookup(_dynamodb, _environment.ledger_table)


@cache
def _s3() -> S3Client:
    return boto3.client("s3", config=CLIENT_CONFIG)


_routes = reader_routes(
    read_index=TimeIndex(_dynamodb, _environment.ledger_table).read,
    read_history=_lookup.history,
    read_receipts=_lookup.receipts,
    shards=_environment.ledger_shards,
) | log_routes(
    read_history=_lookup.history,
    log=SealedLog(_s3, _environment.log_bucket),
)


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP API request (payload format 2.0)."""
    begin_invocation(context.aws_request_id)
    return respond(_routes, event)
