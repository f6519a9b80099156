"""The route of the upload-forms function: reads the request, signs the form, writes the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4

from functions.api.problems import ProblemError
from functions.api.responses import Request, Response, Routes, caller_of, json_response
from functions.contract import http_api
from functions.contract.entry import format_time
from functions.contract.form_metadata import names_of
from functions.log import logger
from functions.upload_forms.request import parse_upload_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.contract.entry import Entry
    from functions.upload_forms.forms import UploadForms


def upload_form_routes(
    *,
    find_receipt: Callable[[str], Entry | None],
    is_backed: Callable[[Entry], bool],
    forms: UploadForms,
    max_bytes: int,
) -> Routes:
    """Make the handler of ``POST /uploads``.

    A receipt that was already accepted is refused, to save an upload, unless no object version with its bytes
    is left, or the caller wants to upload it again. This isn't a lock: two callers may get a form for the
    same receipt at the same time. The ledger then records the second upload as a duplicate.
    """

    def request_form(request: Request) -> Response:
        upload = parse_upload_request(request, max_bytes)
        accepted = None if upload.again else find_receipt(upload.fingerprint)
        if accepted is not None and is_backed(accepted):
            raise _already_accepted(accepted)
        caller = caller_of(request)
        form = forms.form_for(upload, caller=caller, now=datetime.now(UTC), upload_id=uuid4())
        logger.info(
            "form given",
            extra={
                "api_request_id": request["requestContext"]["requestId"],
                "caller": names_of(caller),
                "key": form.key,
                "fingerprint": upload.fingerprint,
                "size_bytes": upload.size_bytes,
                "expires_at": format_time(form.expires_at),
            },
        )
        return json_response(
            {
                "url": form.url,
                "fields": form.fields,
                "key": form.key,
                "expires_at": format_time(form.expires_at),
            },
            HTTPStatus.CREATED,
        )

    return {http_api.REQUEST_FORM: request_form}


def _already_accepted(receipt: Entry) -> ProblemError:
    return ProblemError(
        status=HTTPStatus.CONFLICT,
        kind=http_api.ALREADY_ACCEPTED,
        title="Receipt already accepted",
        detail=f"The receipt with the fingerprint {receipt.fingerprint} has already been accepted.",
        # The caller may only be allowed to upload. Whoever may read can ask for the rest.
        members={"fingerprint": receipt.fingerprint, "recorded_at": format_time(receipt.recorded_at)},
    )
