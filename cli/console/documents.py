"""The bytes of receipts, streamed from S3 to the page, which checks them itself before it shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.awsrequest import AWSRequest
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.routing import Route

from cli.caller.files import CHUNK_BYTES
from cli.caller.transfer import refusal_of_s3
from cli.console.problems import AUDITOR_RIGHT, handed_on
from functions.contract import http_api
from functions.contract.file_names import safe_file_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from botocore.awsrequest import AWSResponse
    from starlette.requests import Request
    from starlette.responses import Response

    from cli.answers import ApiFileLink
    from cli.caller.connection import StackConnection


def document_routes(stack: StackConnection) -> list[Route]:
    """Return the route that the page gets documents from."""

    async def file(request: Request) -> Response:
        fingerprint, version = request.path_params["fingerprint"], request.query_params.get(http_api.VERSION)
        route = http_api.REQUEST_FILE.format(fingerprint=quote(fingerprint, safe=""))
        parameters = {http_api.VERSION: version} if version else None
        answer = await run_in_threadpool(stack.api.call, route, parameters=parameters)
        if answer.status_code != 200:
            return handed_on(answer, AUDITOR_RIGHT)
        link: ApiFileLink = json.loads(answer.content)
        # S3 has the file; the page must not learn its address, which anybody could use until it expires.
        stored = await run_in_threadpool(
            stack.http.send,
            lambda: AWSRequest(method="GET", url=link["url"], headers={}, stream_output=True),
            f"download of {link['key']}",
        )
        if stored.status_code != 200:
            raise await run_in_threadpool(refusal_of_s3, stored, "S3 refused to return the file")
        return StreamingResponse(_chunks(stored), headers=_headers(stored, link))

    return [Route("/files/{fingerprint}", file)]


def _headers(stored: AWSResponse, link: ApiFileLink) -> dict[str, str]:
    """Say that it is bytes to be saved, whatever its uploader said that it is."""
    name = quote(safe_file_name(link["key"]), safe="")
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
    }
    length = stored.headers.get("Content-Length")
    return headers | ({"Content-Length": length} if length else {})


async def _chunks(stored: AWSResponse) -> AsyncIterator[bytes]:
    """Yield the bytes as they were uploaded. If the browser goes away, S3 isn't asked for the rest."""
    try:
        while chunk := await run_in_threadpool(stored.raw.read, CHUNK_BYTES, decode_content=False):
            yield chunk
    finally:
        stored.raw.close()
