"""The route keys of the HTTP API, grouped by the permission that a caller needs."""

from __future__ import annotations

from typing import Final

LIST_RECEIPTS: Final = "GET /receipts"
SHOW_RECEIPT: Final = "GET /receipts/{fingerprint}"
REQUEST_FORM: Final = "POST /uploads"

READ: Final = (LIST_RECEIPTS, SHOW_RECEIPT)
UPLOAD: Final = (REQUEST_FORM,)
