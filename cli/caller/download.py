"""Downloading the file of a receipt. It is checked against the fingerprint before it gets its name."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from botocore.awsrequest import AWSRequest
from urllib3.exceptions import HTTPError

from cli.caller.files import CHUNK_BYTES
from cli.caller.transfer import refusal_of_s3
from cli.errors import BillEError, UnavailableError

if TYPE_CHECKING:
    from cli.answers import ApiFileLink
    from cli.caller.http_client import HttpClient


@contextmanager
def downloaded(http: HttpClient, link: ApiFileLink, folder: Path) -> Iterator[Path]:
    """Download a file into `folder` under a temporary name, which is removed at the end.

    Raise BillEError if the file can't be had or written, or if its SHA-256 isn't the link's fingerprint.
    """
    temporary = folder / f".bill-e-{secrets.token_hex(8)}.part"
    try:
        with _written(folder), temporary.open("xb") as stream:
            _fetch(http, link, stream)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def give_name(temporary: Path, destination: Path, *, overwrite: bool) -> None:
    """Give a file its name in the same folder. Raise BillEError if there is a file already."""
    with _written(destination):
        if overwrite:
            temporary.replace(destination)
            return
        try:
            os.link(temporary, destination)
        except FileExistsError:
            raise already_there(destination) from None
        except OSError:  # a file system without hard links
            _claim(destination)
            temporary.replace(destination)


def already_there(destination: Path) -> BillEError:
    """Say that a file would be overwritten."""
    return BillEError(f"{destination} exists already: give another name with -o, or --force")


def _claim(destination: Path) -> None:
    """Make an empty file, so that nobody else can make one in the meantime."""
    try:
        destination.open("xb").close()
    except FileExistsError:
        raise already_there(destination) from None


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except HTTPError as error:
        raise UnavailableError(f"the download broke off: {error}") from error
    except OSError as error:
        raise BillEError(f"{path} cannot be written: {error.strerror}") from error


def _fetch(http: HttpClient, link: ApiFileLink, stream: BinaryIO) -> None:
    response = http.send(
        lambda: AWSRequest(method="GET", url=link["url"], headers={}, stream_output=True),
        f"download of {link['key']}",
    )
    if response.status_code != 200:
        raise refusal_of_s3(response, "S3 refused to return it")
    digest, received, expected = hashlib.sha256(), 0, link["size_bytes"]
    # The bytes as they were uploaded, whatever encoding their uploader said that they have.
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
        stream.write(chunk)
        digest.update(chunk)
        received += len(chunk)
        if expected is not None and received > expected:
            break
    if digest.hexdigest() != link["fingerprint"]:
        raise BillEError(
            f"{link['key']} (version {link['version_id']}) is NOT what the ledger recorded: the bytes that "
            f"arrived don't have the fingerprint {link['fingerprint']}, so nothing was saved; tell an "
            "administrator, since they were changed on their way or in the bucket"
        )
