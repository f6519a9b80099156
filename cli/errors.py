"""Errors that end a command. Each is one sentence that says what failed, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)


class BillEError(Exception):
    """A failure that its message explains. The command ends with `exit_code`."""

    exit_code = 1


class UsageError(BillEError):
    """The options or arguments of a command don't fit."""

    exit_code = 2


class SignInError(BillEError):
    """The token or the AWS credentials are refused, or there are none: no other call will do better."""


class DeniedError(BillEError):
    """The sign-in is good, but has no right to a route or a call: no other call to it will do better."""


class UnavailableError(BillEError):
    """A service couldn't be reached or is unavailable; the same call may work later."""


NO_CREDENTIALS = (
    "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "or sign in with `aws sso login`"
)

_DENIED = "access denied: your IAM policy has to allow it"
_UNKNOWN_KEY = "AWS doesn't know this access key: use credentials of the stack's account"
_EXPIRED = "the AWS credentials have expired: sign in again"
_STILL_DEPLOYED = "are these the outputs of a stack that is still deployed?"
_NO_QUEUE = f"the queue doesn't exist: {_STILL_DEPLOYED}"

_REFUSED_SIGN_INS = {
    *("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId"),
    *("SignatureDoesNotMatch", "UnrecognizedClientException"),
}

_EXPLAINED_CODES = {
    "403": _DENIED,  # what S3 says about a HEAD, which has no body for a code
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "BadDigest": "the bytes that arrived don't match the fingerprint: the file has changed",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "NoSuchBucket": f"the bucket doesn't exist: {_STILL_DEPLOYED}",
    "QueueDoesNotExist": _NO_QUEUE,
    "RequestTimeTooSkewed": "this machine's clock is off by more than the 15 minutes that AWS allows",
    "ResourceNotFoundException": f"it doesn't exist: {_STILL_DEPLOYED}",
    "SignatureDoesNotMatch": "the signature was refused: the AWS secret access key is wrong",
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "XAmzContentSHA256Mismatch": "the bytes that arrived are not the ones that were sent",
}


@contextmanager
def explained(doing: str, *, granted_by: str | None = None) -> Iterator[None]:
    """Turn botocore's errors into BillEErrors.

    `doing` names the call, and the permission that it needs. The stack's output `granted_by` is a policy with
    that permission. If there is none, it is an administrator's.
    """
    try:
        yield
    except ClientError as error:
        raise _from_service(error, doing, granted_by) from error
    except BotoCoreError as error:
        raise _from_sdk(error, doing) from error


def _from_sdk(error: BotoCoreError, doing: str) -> BillEError:
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return SignInError(f"{doing}: {NO_CREDENTIALS}")
        case SSOTokenLoadError() | UnauthorizedSSOTokenError() | TokenRetrievalError():
            return SignInError(f"{doing}: the AWS sign-in has expired: run `aws sso login`")
        case ProfileNotFound():
            return BillEError(f"{doing}: {error}; `aws configure list-profiles` lists them")
        case SSLError():
            return BillEError(f"{doing}: the certificate is not trusted: {error.kwargs['error']}")
        case ProxyConnectionError():
            return UnavailableError(f"{doing}: cannot connect to the proxy: {error}")
        case EndpointConnectionError() | ConnectTimeoutError():
            where = _origin(error.kwargs["endpoint_url"])
            return UnavailableError(
                f"{doing}: cannot connect to {where}: is it running, and is the address right?"
            )
        case ReadTimeoutError() | ConnectionClosedError():
            where = _origin(error.kwargs["endpoint_url"])
            return UnavailableError(f"{doing}: {where} closed the connection or stopped answering")
        case _:
            return BillEError(f"{doing}: {error}")


def _origin(url: str) -> str:
    """Cut an address to its scheme, host and port, which say enough and contain nothing secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _from_service(error: ClientError, doing: str, granted_by: str | None) -> BillEError:
    said = error.response.get("Error", {})
    code = said.get("Code", "unknown")
    explanation = _EXPLAINED_CODES.get(code) or said.get("Message", "")
    is_denied = explanation == _DENIED
    if is_denied and granted_by:
        explanation += f", as the one in the stack's output {granted_by} does"
    sentence = f"{doing}: {explanation} ({code})"
    if code in _REFUSED_SIGN_INS:
        return SignInError(sentence)
    if is_denied:
        return DeniedError(sentence)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return UnavailableError(sentence) if status >= 500 else BillEError(sentence)
