"""The route of the file-links function: reads the request, finds the file, signs the link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.parameters import read_fingerprint_and
from functions.api.responses import Request, Response, Routes, json_response
from functions.contract import http_api
from functions.contract.entry import format_time
from functions.log import logger

if TYPE_CHECKING:
    from functions.file_links.files import Files
    from functions.file_links.links import FileLinks


def file_link_routes(files: Files, links: FileLinks) -> Routes:
    """Make the handler of ``GET /files/{fingerprint}``."""

    def request_file(request: Request) -> Response:
        fingerprint, version_id = read_fingerprint_and(request, http_api.VERSION, _version_id)
        if version_id is None:
            file = files.of_receipt(fingerprint)
        else:
            file = files.of_version(fingerprint, version_id)
        link = links.link_to(file.version)
        # The access log says who asked, under the same request id. A key can name people.
        logger.info(
            "file link given",
            extra={
                "api_request_id": request["requestContext"]["requestId"],
                "fingerprint": fingerprint,
                "version_id": file.version.version_id,
                "expires_at": format_time(link.expires_at),
            },
        )
        return json_response(
            {
                "url": link.url,
                "expires_at": format_time(link.expires_at),
                **vars(file.version),
                "fingerprint": fingerprint,
                "size_bytes": file.entry.size_bytes,
                "media_type": file.entry.media_type,
            }
        )

    return {http_api.REQUEST_FILE: request_file}


def _version_id(text: str) -> str:
    if text.isprintable() and 1 <= len(text.encode(errors="replace")) <= http_api.MAX_VERSION_BYTES:
        return text
    raise ValueError(f"a version id of S3, which has 1 to {http_api.MAX_VERSION_BYTES} bytes")
