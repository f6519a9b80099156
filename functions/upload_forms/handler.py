"""The entry point of the upload-forms function in Lambda.

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
from functions.contract.environment import UploadFormsEnvironment, read_environment
from functions.ledger.backing import Backing, LiveVersions
from functions.ledger.lookup import LedgerLookup
from functions.log import LambdaContext, begin_invocation
from functions.upload_forms.forms import UploadForms
from functions.upload_forms.routes import upload_form_routes

_environment = read_environment(UploadFormsEnvironment, os.environ)
_dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
_s3 = boto3.client("s3", config=PRESIGNING_CONFIG.merge(CLIENT_CONFIG))
_routes = upload_form_routes(
    find_receipt=LedgerLookup(_dynamodb, _environment.ledger_table).receipt,
    is_backed=Backing(
        _dynamodb,
        _environment.ledger_table,
        LiveVersions(_s3, _environment.location).has,
        entries_within(DUPLICATES_UNITS, consistent=True),
    ).has,
    forms=UploadForms(
        client=_s3,
        bucket=_environment.location.bucket,
        prefix=_environment.form_prefix,
        lifetime=timedelta(seconds=_environment.form_lifetime_seconds),
    ),
    max_bytes=_environment.max_receipt_bytes,
)


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP API request (payload format 2.0)."""
    begin_invocation(context.aws_request_id)
    return respond(_routes, event)
