"""E-mails (RFC 5322), with the parts of a MIME multipart up to the boundary that closes them.

Of a message that isn't a multipart, nothing tells where it ends. What is attached isn't read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from functions.processor.formats.format import Format, Whole

if TYPE_CHECKING:
    from functions.processor.formats.incoming import Incoming, Reading

FIRST_FIELD: Final = re.compile(
    rb"(?:Return-Path|Received(?:-SPF)?|Delivered-To|From|To|Date|Subject|Reply-To|Sender|Cc|Message-ID"
    rb"|MIME-Version|Authentication-Results|DKIM-Signature|ARC-[A-Za-z-]{1,40}|X-[A-Za-z0-9-]{1,60})"
    rb":[ \t\r\n]",
    re.IGNORECASE,
)
END_OF_HEADER: Final = re.compile(rb"\n\r?\n")
MOST_HEADER_BYTES: Final = 256 * 1024
REQUIRED: Final = tuple(
    re.compile(rb"^%b:" % name, re.IGNORECASE | re.MULTILINE) for name in (b"From", b"Date")
)
"""What each message has (RFC 5322, section 3.6)."""

FOLD: Final = re.compile(rb"\r?\n[ \t]+")
MULTIPART: Final = re.compile(
    rb"^Content-Type:\s{0,99}multipart/[^\r\n]*?;\s{0,99}boundary=(?:\"([^\"\r\n]{1,70})\"|([^\s;\"]{1,70}))",
    re.IGNORECASE | re.MULTILINE,
)


def _recognise(head: bytes) -> str | None:
    return "message/rfc822" if FIRST_FIELD.match(head) else None


def _read(file: Incoming) -> Reading[Whole]:
    file.at("inside its header")
    ahead = yield from file.peek(MOST_HEADER_BYTES)
    end = END_OF_HEADER.search(ahead)
    header = ahead[: end.end()] if end else ahead
    if not all(each.search(header) for each in REQUIRED) or (not end and len(ahead) == MOST_HEADER_BYTES):
        return Whole(media_type=None)
    yield from file.skip(len(header))
    if not end:
        raise file.cut()
    multipart = MULTIPART.search(FOLD.sub(b" ", header))
    if multipart:
        yield from _read_parts(file, multipart[1] or multipart[2])
    else:
        yield from file.skip_to_end()
    return Whole(media_type="message/rfc822")


def _read_parts(file: Incoming, boundary: bytes) -> Reading[None]:
    file.at("before the boundary that closes its parts")
    closing = re.compile(rb"\n--" + re.escape(boundary) + rb"--")
    if not (yield from file.search(closing, len(boundary) + 5)):
        raise file.cut()


FORMAT: Final = Format(recognise=_recognise, read=_read)
