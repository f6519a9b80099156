"""The entry point of the file-links function in Lambda.

Clients and routes are made on import, once for each execution environment, because Lambda gives
initialisation more CPU than a small function has later.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import boto3

from functions.api.responses import CLIENT_CONFIG, PRESIGNING_CONFIG, respond
from functions.contract.capacity import DUPLICATES_UNITS, entries_within
from functions.contract.environment import FileLinksEnvironment, read_environment
from functions.file_links.files import Files
from functions.file_links.links import FileLinks
from functions.file_links.routes import file_link_routes
from functions.ledger.backing import Backing, LiveVersions
from functions.ledger.lookup import LedgerLookup
from functions.log import LambdaContext, begin_invocation

_environment = read_environment(FileLinksEnvironment, os.environ)
_dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
_s3 = boto3.client("s3", config=PRESIGNING_CONFIG.merge(CLIENT_CONFIG))
_live = LiveVersions(_s3, _environment.location)
_routes = file_link_routes(
    Files(
        ledger=LedgerLookup(_dynamodb, _environment.ledger_table),
        backing=Backing(
            _dynamodb,
            _environment.ledger_table,
            _live.has,
            entries_within(DUPLICATES_UNITS, consistent=True),
        ),
        live=_live,
        location=_environment.location,
    ),
    FileLinks(client=_s3, lifetime=timedelta(seconds=_environment.link_lifetime_seconds)),
)


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP API request (payload format 2.0)."""
    begin_invocation(context.aws_request_id)
    return respond(_routes, event)
