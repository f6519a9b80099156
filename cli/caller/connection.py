"""A caller's connection to one stack: its API, and how files get into its bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import botocore.session

from cli import aws
from cli.caller.api_client import ApiClient, Sign, bearer, sigv4
from cli.caller.http_client import HttpClient
from cli.caller.transfer import SendFile, form_sender, put_object_sender
from cli.caller.upload_run import LookUp
from cli.errors import UsageError, explained

if TYPE_CHECKING:
    from cli.stack import StackAccess

BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1."""


@dataclass(frozen=True, kw_only=True)
class StackConnection:
    """An open connection to a stack. `names_are_keys` unless the API chooses a key for each file.

    `look_up` finds what was accepted before. It is None where the API says so when it is asked for a form.
    """

    api: ApiClient
    send_file: SendFile
    look_up: LookUp | None
    names_are_keys: bool


@contextmanager
def connect(
    access: StackAccess, *, token: str | None = None, prefix: str = "", concurrency: int = 8
) -> Iterator[StackConnection]:
    """Connect to a stack in the way that its API asks for, and close everything at the end.

    No call is made yet.

    Args:
        access: the stack.
        token: the bearer token, if the stack's API takes one.
        prefix: put before the keys of uploads. Only possible without forms, whose keys the API chooses.
        concurrency: how many requests may run at the same time.

    """
    with ExitStack() as opened:
        http = opened.enter_context(closing(_http_client(access, concurrency)))
        if access.api_auth == "jwt":
            if prefix:
                raise UsageError(
                    "--prefix needs a stack with api_auth 'iam': with 'jwt' the API chooses the keys"
                )
            api = ApiClient(access.api_url, http, _bearer_of(token))
            send_file, look_up = form_sender(api, http, access.uploads_bucket), None
        else:
            session = aws.session_for(access, access.caller_key)
            api = ApiClient(access.api_url, http, sigv4(aws.credentials_of(session), access.region))
            s3 = opened.enter_context(closing(aws.client(session, "s3", access, connections=concurrency)))
            send_file = put_object_sender(s3, access.uploads_bucket, access.upload_prefix + prefix)
            look_up = api.receipts
        yield StackConnection(
            api=api, send_file=send_file, look_up=look_up, names_are_keys=access.api_auth != "jwt"
        )


def _bearer_of(token: str | None) -> Sign:
    if not token:
        raise UsageError("the stack's API takes a bearer token: give --token TOKEN or set BILL_E_TOKEN")
    if not BEARER_TOKEN.fullmatch(token):
        raise UsageError("the bearer token has characters that a token can't have: was it cut off or quoted?")
    return bearer(token)


def _http_client(access: StackAccess, concurrency: int) -> HttpClient:
    with explained("AWS configuration"):
        configured = botocore.session.get_session().get_config_variable("ca_bundle")
    return HttpClient(
        access.api_url, ca_bundle=str(access.ca_bundle or configured or "") or None, connections=concurrency
    )
