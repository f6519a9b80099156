"""Lets keys hold any character in ministack, control characters and line breaks as well.

- Names in a listing of versions are encoded if the request asks for it. XML can't hold all characters, so
  boto3 always asks (S3 API Reference, "ListObjectVersions", ``encoding-type``).
- A wildcard in a policy stands for a line break, too. In ministack, whoever may write to all keys was refused
  one that has a line break.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from ministack.core import iam_evaluator
from ministack.services import s3

ENCODED = ("Prefix", "Delimiter", "KeyMarker", "NextKeyMarker", "Key")

Response = tuple[Any, ...]


def install() -> None:
    """Wrap ministack's functions that list versions, write XML, and read the wildcards of policies."""
    _encode_listings()
    _match_line_breaks()


def _encode_listings() -> None:
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


def _match_line_breaks() -> None:
    compile_wildcards = iam_evaluator._fnmatch_compile

    def compile_for_any_character(pattern: str, ignore_case: bool) -> re.Pattern[str]:
        made: re.Pattern[str] = compile_wildcards(pattern, ignore_case)
        # `$` would leave out a line break at the end.
        return re.compile(f"{made.pattern.removesuffix('$')}\\Z", made.flags | re.DOTALL)

    iam_evaluator._fnmatch_compile = compile_for_any_character
