"""The HTTP API: its routes, and the limits and names that its callers need."""

from __future__ import annotations

from typing import Final

LIST_RECEIPTS: Final = "GET /receipts"
SHOW_RECEIPT: Final = "GET /receipts/{fingerprint}"
LOOK_UP_RECEIPTS: Final = "POST /receipts/lookup"
REQUEST_FILE: Final = "GET /files/{fingerprint}"
REQUEST_FORM: Final = "POST /uploads"

READ_ROUTES: Final = (LIST_RECEIPTS, SHOW_RECEIPT, LOOK_UP_RECEIPTS)
FILE_ROUTES: Final = (REQUEST_FILE,)
UPLOAD_ROUTES: Final = (REQUEST_FORM,)
ROUTES: Final = (*READ_ROUTES, *FILE_ROUTES, *UPLOAD_ROUTES)
"""Those that read the ledger, those that lead to the documents themselves, and those to upload with. Each
kind is a right of its own."""

OUTCOME, REASON, FINDING, KEY, UPLOADER, TEXT, FINGERPRINT, FROM, TO, LIMIT, CURSOR = PARAMETERS = (
    *("outcome", "reason", "finding", "key", "uploader", "q", "fingerprint"),
    *("from", "to", "limit", "cursor"),
)
"""The query of `LIST_RECEIPTS`."""

VERSION: Final = "version"
"""The query of `REQUEST_FILE`: which of a fingerprint's object versions."""

MAX_VERSION_BYTES: Final = 1_024
"""The longest version id of S3."""

MAX_SEARCH_BYTES: Final = 1_024
"""The longest text to search for, in UTF-8. S3's keys are no longer."""

LEAST_DIGITS: Final = 8
"""The fewest first digits of a fingerprint that can be searched for."""

MAX_LIMIT: Final = 200
"""The largest page. It stays below the 6 MB of a Lambda response."""

FINGERPRINTS: Final = "fingerprints"
"""The member in the body of `LOOK_UP_RECEIPTS`."""

MAX_FINGERPRINTS: Final = 100
"""The most in one look-up. DynamoDB's BatchGetItem takes no more keys."""

RFC_3339: Final = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
"""RFC 3339, section 5.6, which allows far less than ``datetime.fromisoformat`` does. For ``re.ASCII``."""

RECEIPT_NOT_FOUND: Final = "receipt-not-found"
ALREADY_ACCEPTED: Final = "already-accepted"
VERSION_NOT_FOUND: Final = "version-not-found"
FILE_GONE: Final = "file-gone"
FILE_OUT_OF_REACH: Final = "file-out-of-reach"
"""Kinds of problems that callers distinguish: the last part of a problem's ``type``."""


def problem_type(kind: str) -> str:
    """Return the ``type`` of a problem."""
    return f"/problems/{kind}"
