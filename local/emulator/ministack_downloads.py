"""Adds to ministack's S3: the headers that a link asks for, if it is for one object version.

They are the parameters ``response-content-type`` and so on (S3 API Reference, "GetObject"). ministack only
follows them if no version is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from ministack.services import s3

Response = tuple[Any, ...]


def install() -> None:
    """Wrap ministack's function that reads an object."""
    get_object = s3._get_object

    def get(bucket: str, key: str, headers: Mapping[str, str], query: Mapping[str, Any]) -> Response:
        answer: Response = get_object(bucket, key, headers, query)
        if answer[0] == HTTPStatus.OK:
            s3._apply_response_overrides(answer[1], query)
        return answer

    s3._get_object = get
