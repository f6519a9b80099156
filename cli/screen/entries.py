"""How an entry of the ledger looks."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import IO, Any

from cli.answers import ApiEntry
from cli.screen.terminal import ABSENT, Row, second_of, size_text
from functions.contract.entry import Via

RESENT = "unknown, as an operator's command recorded it"
RESTORES = "restores it"


def entry_row(entry: ApiEntry, *, full_fingerprint: bool) -> Row:
    """Write an entry as a row of a table."""
    fingerprint = entry["fingerprint"] or ABSENT
    return {
        "RECORDED": second_of(entry["recorded_at"]),
        "OUTCOME": entry["outcome"],
        "FINGERPRINT": fingerprint if full_fingerprint else fingerprint[:12],
        "SIZE": size_text(entry["size_bytes"]),
        "TYPE": entry["media_type"] or ABSENT,
        "UPLOADER": _short_uploader(entry) or ABSENT,
        "KEY": entry["key"],
        "DETAIL": detail_of(entry),
    }


CSV_COLUMNS = (
    *("recorded_at", "outcome", "reason", "detail", "fingerprint", "size_bytes", "media_type", "findings"),
    *("bucket", "key", "version_id", "uploaded_at", "resent"),
    *("uploader.principal", "uploader.source_ip", "uploader.via"),
    *("uploader.caller.principal", "uploader.caller.issuer", "uploader.caller.subject"),
    *("duplicate_of.bucket", "duplicate_of.key", "duplicate_of.version_id", "restores", "salt"),
)
"""The members of an entry, in the API's words."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
"""A cell that begins with one of these gets an apostrophe before it."""


def write_csv_rows(file: IO[str], rows: Iterable[Iterable[str]]) -> None:
    """Write rows as RFC 4180 says, with every cell in quotes."""
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)


def csv_row(entry: ApiEntry) -> list[str]:
    """Write an entry as cells in the order of `CSV_COLUMNS`: null is empty, and a space is between findings.

    A cell that could be taken for a formula, or begins with an apostrophe, gets an apostrophe before it
    (OWASP, "CSV Injection"). So taking away one apostrophe at the start gives every cell back.
    """
    return [_cell(_member(entry, column.split("."))) for column in CSV_COLUMNS]


def _member(entry: ApiEntry, path: list[str]) -> object:
    value: Any = entry
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return json.dumps(value)
        case list():
            return " ".join(map(str, value))
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _short_uploader(entry: ApiEntry) -> str:
    """Return the part of an uploader's name that a person recognises: of a token, the subject.

    S3 names a user by an id alone. A role has the session after its id or its name, such as
    ``AWS:AROAEXAMPLE:erika`` and ``arn:aws:sts::123456789012:assumed-role/Clerk/erika``. What else a service
    calls itself stays whole.
    """
    caller = entry["uploader"].get("caller")
    if caller is not None and caller["principal"] is None:
        return caller["subject"] or ""
    name = uploader_of(entry) or ""
    if name.startswith("arn:"):
        return name.split(":", 5)[-1].partition("/")[2] or name
    return name.removeprefix("AWS:").rpartition(":")[2] if name.startswith("AWS:") else name


def detail_of(entry: ApiEntry) -> str:
    """Say why an upload was rejected, or what it is a duplicate of and what was found in it."""
    return _joined(
        _why_rejected(entry), _sent_again(entry) or _original(entry), _restores(entry), _findings(entry)
    )


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _why_rejected(entry: ApiEntry) -> str:
    return ": ".join(filter(None, (entry.get("reason"), entry.get("detail"))))


def _sent_again(entry: ApiEntry) -> str:
    first = entry.get("duplicate_of")
    if not first or first["key"] != entry["key"]:
        return ""
    return "copied onto itself" if _is_copy(entry) else "sent again"


def _original(entry: ApiEntry) -> str:
    first = entry.get("duplicate_of")
    return f"of {first['key']}{' (a copy)' if _is_copy(entry) else ''}" if first else ""


def _is_copy(entry: ApiEntry) -> bool:
    return entry["uploader"].get("via") == Via.COPY


def _restores(entry: ApiEntry) -> str:
    return RESTORES if entry.get("restores") else ""


def _findings(entry: ApiEntry) -> str:
    return ", ".join(entry.get("findings", ()))


def entry_fields(entry: ApiEntry) -> Row:
    """Write an entry as fields with names."""
    return {
        "outcome": entry["outcome"],
        **({"reason": _why_rejected(entry)} if entry.get("reason") else {}),
        "fingerprint": entry["fingerprint"] or ABSENT,
        "bucket": entry["bucket"],
        "key": entry["key"],
        "version": entry["version_id"],
        "size": size_text(entry["size_bytes"]),
        "type": entry["media_type"] or ABSENT,
        "findings": _findings(entry) or ABSENT,
        "uploaded": second_of(entry["uploaded_at"]),
        "recorded": second_of(entry["recorded_at"]),
        "uploader": uploader_of(entry) or (RESENT if entry.get("resent") else ABSENT),
        "via": entry["uploader"].get("via") or ABSENT,
        "address": entry["uploader"]["source_ip"] or ABSENT,
    }


def uploader_of(entry: ApiEntry) -> str | None:
    """Say who uploaded: the caller who asked for the form, or else the principal that S3 names."""
    uploader = entry["uploader"]
    caller = uploader.get("caller")
    if caller is None:
        return uploader["principal"]
    return caller["principal"] or f"{caller['subject']} of {caller['issuer']}"


def history_row(entry: ApiEntry) -> Row:
    """Write a duplicate or a rejection as a row under its receipt."""
    return {
        "RECORDED": second_of(entry["recorded_at"]),
        "KEY": entry["key"],
        "VERSION": entry["version_id"],
        "UPLOADER": uploader_of(entry) or ABSENT,
        "DETAIL": _joined(_why_rejected(entry), _sent_again(entry), _restores(entry)),
    }
