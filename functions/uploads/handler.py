"""The entry point of the uploads function in Lambda.

Clients and routes are made on import, once per execution environment: Lambda gives initialisation more CPU
than a small function has later.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3

from functions.api.clients import CLIENT_CONFIG
from functions.api.responses import respond
from functions.ledger.store import LedgerStore
from functions.log import begin_invocation
from functions.uploads.forms import PRESIGNING_CONFIG, UploadForms
from functions.uploads.routes import uploads_routes
from functions.uploads.settings import read_settings

if TYPE_CHECKING:
    from functions.invocation import LambdaContext

_settings = read_settings(os.environ)
_routes = uploads_routes(
    # A receipt is read by its key, whatever the number of shards: this function need not know it.
    store=LedgerStore(boto3.client("dynamodb", config=CLIENT_CONFIG), _settings.ledger_table, shards=1),
    forms=UploadForms(
        client=boto3.client("s3", config=PRESIGNING_CONFIG),
        bucket=_settings.uploads_bucket,
        prefix=_settings.upload_prefix,
        lifetime=_settings.form_lifetime,
    ),
    max_bytes=_settings.max_receipt_bytes,
)


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP API request (payload format 2.0)."""
    begin_invocation(context.aws_request_id)
    return respond(_routes, event)
