"""Finds the object version that has a receipt's file, or says why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.api.problems import ProblemError
from functions.contract import http_api

if TYPE_CHECKING:
    from functions.contract.entry import Entry, ObjectVersion, UploadLocation
    from functions.ledger.backing import Backing, LiveVersions
    from functions.ledger.lookup import LedgerLookup

MOST_SEARCHED = 1_000
"""How many entries of a fingerprint are searched for a version, unless fewer use up `HISTORY_UNITS`. All that
``SHOW_RECEIPT`` shows are among them."""


@dataclass(frozen=True, kw_only=True)
class File:
    """An object version that is in the bucket, and the entry that describes its bytes."""

    version: ObjectVersion
    entry: Entry


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files of a stack's receipts. Methods raise a `ProblemError`, or botocore's errors."""

    ledger: LedgerLookup
    backing: Backing
    live: LiveVersions
    location: UploadLocation

    def of_receipt(self, fingerprint: str) -> File:
        """Return the object version that backs a receipt."""
        receipt = self.ledger.receipt(fingerprint)
        if receipt is None:
            raise _receipt_not_found(
                f"No receipt has the fingerprint {fingerprint}. If an upload with it was rejected, its "
                "version id leads to the file."
            )
        version = self.backing.version_of(receipt)
        if version is None:
            raise _file_gone(f"No object version was found that has the bytes of the receipt {fingerprint}.")
        return self._in_reach(version, receipt)

    def of_version(self, fingerprint: str, version_id: str) -> File:
        """Return the object version of any entry with a fingerprint: auditors also see what was rejected."""
        history = self.ledger.history(fingerprint, MOST_SEARCHED)
        if history.is_empty:
            raise _receipt_not_found(f"The ledger has no entry with the fingerprint {fingerprint}.")
        receipt = [history.receipt] if history.receipt else []
        for entry in (*receipt, *history.duplicates, *history.rejections):
            version = entry.upload.version
            if version.version_id == version_id:
                if not self.live.has(version):
                    raise _file_gone(
                        "The object version isn't in the bucket any more: it was deleted for good."
                    )
                return self._in_reach(version, entry)
        raise _version_not_found(fingerprint, truncated=history.truncated)

    def _in_reach(self, version: ObjectVersion, entry: Entry) -> File:
        """Return a file unless it is where the stack had its receipts before, which it may not read."""
        if not self.location.holds(version):
            raise _file_out_of_reach()
        return File(version=version, entry=entry)


def _receipt_not_found(detail: str) -> ProblemError:
    return ProblemError(
        status=HTTPStatus.NOT_FOUND, kind=http_api.RECEIPT_NOT_FOUND, title="No such receipt", detail=detail
    )


def _version_not_found(fingerprint: str, *, truncated: bool) -> ProblemError:
    searched = "The ledger has too many entries to search all of them. " if truncated else ""
    return ProblemError(
        status=HTTPStatus.NOT_FOUND,
        kind=http_api.VERSION_NOT_FOUND,
        title="No such version",
        detail=f"{searched}No entry with the fingerprint {fingerprint} was found that has this version id.",
    )


def _file_gone(detail: str) -> ProblemError:
    return ProblemError(status=HTTPStatus.GONE, kind=http_api.FILE_GONE, title="File gone", detail=detail)


def _file_out_of_reach() -> ProblemError:
    return ProblemError(
        status=HTTPStatus.CONFLICT,
        kind=http_api.FILE_OUT_OF_REACH,
        title="File out of reach",
        detail="The object version is outside of the folder that the stack takes receipts from now, so the "
        "API can't look at it. An administrator can.",
    )
