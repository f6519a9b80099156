"""A caller's or an auditor's connection to one stack: its API, and how files get into its bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import botocore.session

from cli import aws
from cli.caller.api_client import ApiClient, sigv4
from cli.caller.bearer_token import TOKEN_COMMAND, BearerToken
from cli.caller.http_client import HttpClient
from cli.caller.transfer import SendFile, form_sender, put_object_sender
from cli.caller.upload_run import LookUp
from cli.errors import UsageError, explained

if TYPE_CHECKING:
    from cli.stack import StackAccess


@dataclass(frozen=True, kw_only=True)
class StackConnection:
    """An open connection to a stack. `names_are_keys` unless the API chooses a key for each file.

    `look_up` finds what was accepted before, unless that is sent again. It is None where the API says it when
    it is asked for a form; `send_again` also sends that. `http` follows the API's links.
    """

    api: ApiClient
    http: HttpClient
    send_file: SendFile
    send_again: SendFile
    look_up: LookUp | None
    names_are_keys: bool


@contextmanager
def connect(
    access: StackAccess,
    *,
    token: str | None = None,
    prefix: str = "",
    again: bool = False,
    concurrency: int = 8,
    as_auditor: bool = False,
) -> Iterator[StackConnection]:
    """Connect to a stack in the way that its API asks for, and close everything at the end.

    No call is made yet.

    Args:
        access: the stack.
        token: the bearer token, if the stack's API takes one and no command prints it.
        prefix: put before the keys of uploads. Only possible without forms, whose keys the API chooses.
        again: whether to upload what has been accepted before. Otherwise, that isn't sent.
        concurrency: how many requests may run at the same time.
        as_auditor: whether to use the auditor's key, if one comes with the stack.

    """
    with ExitStack() as opened:
        http = opened.enter_context(closing(_http_client(access, concurrency)))
        if access.api_auth == "jwt":
            if prefix:
                raise UsageError(
                    "--prefix needs a stack with api_auth 'iam': with 'jwt' the API chooses the keys"
                )
            bearer = BearerToken(token, os.environ.get(TOKEN_COMMAND))
            api = ApiClient(access.api_url, http, bearer.sign, renew=bearer.renew)
            look_up = None
            send_again = form_sender(api, http, access.uploads_bucket, again=True)
            send_file = send_again if again else form_sender(api, http, access.uploads_bucket, again=False)
        else:
            auditor_key = access.auditor_key if as_auditor else None
            session = aws.session_for(access, auditor_key or access.caller_key)
            api = ApiClient(access.api_url, http, sigv4(aws.credentials_of(session), access.region))
            s3 = opened.enter_context(closing(aws.client(session, "s3", access, connections=concurrency)))
            send_file = put_object_sender(s3, access.uploads_bucket, access.upload_prefix + prefix)
            send_again = send_file
            look_up = None if again else api.receipts
        yield StackConnection(
            api=api,
            http=http,
            send_file=send_file,
            send_again=send_again,
            look_up=look_up,
            names_are_keys=access.api_auth != "jwt",
        )


def _http_client(access: StackAccess, concurrency: int) -> HttpClient:
    with explained("AWS configuration"):
        configured = botocore.session.get_session().get_config_variable("ca_bundle")
    return HttpClient(ca_bundle=str(access.ca_bundle or configured or "") or None, connections=concurrency)
