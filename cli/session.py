"""Connections to one stack: the ledger API's client, S3, and how files get there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from cli.api import LedgerApi, Sign, bearer, sigv4
from cli.errors import NO_CREDENTIALS, BillEError, UsageError, from_botocore
from cli.http_client import HttpClient
from cli.transfer import SendFile, form_sender, put_object_sender

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from cli.outputs import StackAccess

BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1."""


@dataclass(frozen=True, kw_only=True)
class StackConnection:
    """An open connection to a stack."""

    access: StackAccess
    api: LedgerApi
    send_file: SendFile


@contextmanager
def connect(
    access: StackAccess, *, token: str | None = None, prefix: str = "", concurrency: int = 8
) -> Iterator[StackConnection]:
    """Connect to a stack as its authorization says, and close everything at the end. Calls nothing yet.

    Args:
        access: the stack.
        token: the bearer token, where the stack's API takes one.
        prefix: put before the keys of uploads. Only where the caller writes to S3 itself, since the API
            chooses the keys of forms.
        concurrency: how many requests may run at the same time.

    """
    with ExitStack() as opened:
        if access.api_auth == "jwt":
            if prefix:
                raise UsageError(
                    "--prefix needs a stack with api_auth 'iam': with 'jwt' the API chooses the keys"
                )
            http = opened.enter_context(closing(_http_client(access, concurrency)))
            api = LedgerApi(access.api_url, http, _bearer_of(token))
            send_file = form_sender(api, http, access.uploads_bucket)
        else:
            session = aws_session(access)
            http = opened.enter_context(closing(_http_client(access, concurrency)))
            api = LedgerApi(access.api_url, http, _sigv4_of(session, access.region))
            s3 = opened.enter_context(closing(_s3_client(session, access, concurrency)))
            send_file = put_object_sender(s3, access.uploads_bucket, access.upload_prefix + prefix)
        yield StackConnection(access=access, api=api, send_file=send_file)


def _bearer_of(token: str | None) -> Sign:
    if not token:
        raise UsageError("the stack's API takes a bearer token: give --token TOKEN or set BILL_E_TOKEN")
    if not BEARER_TOKEN.fullmatch(token):
        raise UsageError("the bearer token holds characters that no token has: was it cut or quoted?")
    return bearer(token)


def aws_session(access: StackAccess) -> boto3.Session:
    """Make a session with the credentials that come with the stack, or else those that the SDK finds."""
    try:
        return boto3.Session(
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=access.secret_access_key,
            region_name=access.region,
        )
    except BotoCoreError as error:
        raise from_botocore(error, "AWS configuration") from error


def _sigv4_of(session: boto3.Session, region: str) -> Sign:
    try:
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise from_botocore(error, "AWS credentials") from error
    if credentials is None:
        raise BillEError(NO_CREDENTIALS)
    return sigv4(credentials, region)


def _s3_client(session: boto3.Session, access: StackAccess, concurrency: int) -> S3Client:
    return session.client(
        "s3",
        endpoint_url=access.endpoint_url,
        verify=str(access.ca_bundle) if access.ca_bundle else None,
        config=Config(
            max_pool_connections=concurrency,
            retries={"mode": "standard", "total_max_attempts": 5},
            # S3 verifies the SHA-256 header, which is signed: hashing the body once more for the signature
            # would read every file a third time.
            s3={"payload_signing_enabled": False},
            user_agent_extra=f"bill-e/{version('bill-e')}",
        ),
    )


def _http_client(access: StackAccess, concurrency: int) -> HttpClient:
    configured = botocore.session.get_session().get_config_variable("ca_bundle")
    return HttpClient(
        access.api_url, ca_bundle=str(access.ca_bundle or configured or "") or None, connections=concurrency
    )
