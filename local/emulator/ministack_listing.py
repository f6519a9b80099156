"""Adds to ministack's S3: names in a listing of versions that are encoded, if the request asks for it.

A key may hold characters that XML can't, so boto3 always asks for it (S3 API Reference, "ListObjectVersions",
``encoding-type``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from ministack.services import s3

ENCODED = ("Prefix", "Delimiter", "KeyMarker", "NextKeyMarker", "Key")

Response = tuple[Any, ...]


def install() -> None:
    """Wrap ministack's functions that list versions and write XML."""
    list_versions, write = s3._list_object_versions, s3._xml_body
    encoding: ContextVar[str] = ContextVar("encoding", default="")

    def list_encoded(bucket: str, query: Mapping[str, Any]) -> Response:
        token = encoding.set(s3._qp(query, "encoding-type"))
        try:
            answer: Response = list_versions(bucket, query)
        finally:
            encoding.reset(token)
        return answer

    def write_encoded(root: Element) -> bytes:
        if encoding.get():
            for element in root.iter():
                if element.tag in ENCODED and element.text:
                    element.text = s3._url_encode(element.text)
            SubElement(root, "EncodingType").text = encoding.get()
        body: bytes = write(root)
        return body

    s3._list_object_versions, s3._xml_body = list_encoded, write_encoded
