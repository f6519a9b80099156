"""What can go wrong for a user of `bill-e`, each as one sentence: what, where, what is allowed."""

from __future__ import annotations

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
    """Something failed, as its message says. The command ends with `exit_code`."""

    exit_code = 1


class UsageError(BillEError):
    """The command was called in a way that it doesn't take."""

    exit_code = 2


class UnavailableError(BillEError):
    """A service couldn't be reached, or couldn't answer now; the same call may work later."""


NO_CREDENTIALS = (
    "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "or sign in with `aws sso login`"
)

_DENIED = "access denied: the caller's policy has to allow it"
_UNKNOWN_KEY = "the AWS access key is not known there: use credentials of the stack's account"
_NO_QUEUE = "the queue doesn't exist: are these the outputs of a stack that still runs?"

_EXPLAINED_CODES = {
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "BadDigest": "the bytes that arrived are not those that were fingerprinted: the file changed meanwhile",
    "ExpiredToken": "the AWS credentials have expired: sign in again",
    "ExpiredTokenException": "the AWS credentials have expired: sign in again",
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "NoSuchBucket": "the bucket doesn't exist: are these the outputs of a stack that still runs?",
    "QueueDoesNotExist": _NO_QUEUE,
    "RequestTimeTooSkewed": "this machine's clock is wrong by more than AWS allows (15 minutes)",
    "ResourceNotFoundException": "it doesn't exist: are these the outputs of a stack that still runs?",
    "SignatureDoesNotMatch": "the signature was refused: the AWS secret access key is wrong",
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "XAmzContentSHA256Mismatch": "the bytes that arrived are not those that were sent",
}


def from_botocore(error: BotoCoreError | ClientError, doing: str) -> BillEError:
    """Turn what botocore raised while `doing` (such as ``uploading to bucket b``) into a sentence."""
    match error:
        case ClientError():
            return _from_service(error, doing)
        case NoCredentialsError() | PartialCredentialsError():
            return BillEError(f"{doing}: {NO_CREDENTIALS}")
        case SSOTokenLoadError() | UnauthorizedSSOTokenError() | TokenRetrievalError():
            return BillEError(f"{doing}: the AWS sign-in has expired: run `aws sso login`")
        case ProfileNotFound():
            return BillEError(f"{doing}: {error}; `aws configure list-profiles` lists them")
        case SSLError():
            return BillEError(f"{doing}: the certificate is not trusted: {error.kwargs['error']}")
        case ProxyConnectionError():
            return UnavailableError(f"{doing}: cannot connect to the proxy: {error}")
        case EndpointConnectionError() | ConnectTimeoutError():
            where = _origin(error.kwargs["endpoint_url"])
            return UnavailableError(
                f"{doing}: cannot connect to {where}: is it running, and the address right?"
            )
        case ReadTimeoutError() | ConnectionClosedError():
            where = _origin(error.kwargs["endpoint_url"])
            return UnavailableError(f"{doing}: {where} closed or stalled the connection")
        case _:
            return BillEError(f"{doing}: {error}")


def _origin(url: str) -> str:
    """Cut an address to its scheme, host and port: enough to act on, and nothing secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _from_service(error: ClientError, doing: str) -> BillEError:
    said = error.response.get("Error", {})
    code, message = said.get("Code", "unknown"), said.get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    explained = _EXPLAINED_CODES.get(code)
    sentence = f"{doing}: {explained} ({code})" if explained else f"{doing}: {message} ({code})"
    return UnavailableError(sentence) if status >= 500 else BillEError(sentence)
