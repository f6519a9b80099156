"""The reader's routes to the log: its files, and proofs that entries are in it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.api.parameters import read_fingerprint_and
from functions.api.problems import ProblemError, shown
from functions.api.responses import Request, Response, Routes, file_response, json_response
from functions.contract import http_api
from functions.contract.entry import parse_fingerprint
from functions.contract.sealing import CHECKPOINT, EVERY_MINUTES, MAX_DELAY
from functions.reader.routes import HISTORY_LIMIT, receipt_not_found
from functions.reader.sealed_log import NotYetSealedError, SealedLateError

if TYPE_CHECKING:
    from functions.contract.entry import Entry
    from functions.ledger.lookup import History
    from functions.reader.routes import ReadHistory
    from functions.reader.sealed_log import SealedLog

TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"


def log_routes(*, read_history: ReadHistory, log: SealedLog) -> Routes:
    """Make the handlers of the routes that read the log."""

    def request_proof(request: Request) -> Response:
        fingerprint, object_id = read_fingerprint_and(request, http_api.OBJECT_ID, _object_id)
        entry = _entry_of(read_history(fingerprint, HISTORY_LIMIT), object_id)
        if entry is None:
            raise receipt_not_found(fingerprint)
        try:
            proof = log.proof(entry)
        except NotYetSealedError:
            response = json_response({"sealed": False}, HTTPStatus.ACCEPTED)
            response["headers"]["retry-after"] = str(60 * EVERY_MINUTES)
            return response
        except SealedLateError:
            raise _sealed_late() from None
        return file_response(str(proof).encode(), TEXT)

    def log_file(request: Request) -> Response:
        path = request["pathParameters"]["proxy"]
        data = log.file(path)
        if data is None:
            raise _log_path_not_found(path)
        if path == CHECKPOINT:
            return file_response(data, TEXT)
        return file_response(data, BYTES, never_changes=True)

    return {http_api.REQUEST_PROOF: request_proof, http_api.LOG_FILE: log_file}


def _object_id(text: str) -> str:
    try:
        return parse_fingerprint(text)
    except ValueError:
        raise ValueError("an object id of the ledger: 64 hexadecimal digits, lower-case") from None


def _entry_of(history: History, object_id: str | None) -> Entry | None:
    """Return the entry of an object version, or else the receipt's."""
    if object_id is None:
        return history.receipt
    receipt = [history.receipt] if history.receipt else []
    entries = (*receipt, *history.duplicates, *history.rejections)
    return next((entry for entry in entries if entry.upload.version.object_id == object_id), None)


def _sealed_late() -> ProblemError:
    return ProblemError(
        status=HTTPStatus.CONFLICT,
        kind=http_api.SEALED_LATE,
        title="Not sealed in time",
        detail=f"The entry isn't among those that were sealed within {MAX_DELAY.seconds // 60} minutes. Look "
        "for it in the whole log: export it, and search there.",
    )


def _log_path_not_found(path: str) -> ProblemError:
    return ProblemError(
        status=HTTPStatus.NOT_FOUND,
        kind=http_api.LOG_PATH_NOT_FOUND,
        title="No such file of the log",
        detail=f"The log has no {shown(path)}. It has a checkpoint, and tiles and bundles as "
        "c2sp.org/tlog-tiles names them, for the sizes that a checkpoint has had.",
    )
