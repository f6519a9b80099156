"""Finds what a person names: a fingerprint or its first digits, a file, or a key."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli.caller.api_client import EntryFilter
from cli.caller.files import fingerprint_of_file
from cli.errors import BillEError
from functions.contract.http_api import LEAST_DIGITS, MAX_SEARCH_BYTES

if TYPE_CHECKING:
    from cli.answers import ApiEntry, ApiHistory, ApiPage
    from cli.caller.api_client import ApiClient
    from cli.stack import StackAccess

DIGITS = re.compile(f"[0-9a-fA-F]{{{LEAST_DIGITS},64}}")

ENOUGH_DIGITS = 12
"""With as many digits, which is what a table shows, the first fingerprint that is found is taken to be the
only one. Among ten million others, one begins with the same digits in one case of 28 million."""

MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the ledger has on something: the history of a fingerprint, or an entry that has none.

    ``entry`` is the newest one with the key, if a key was given. ``note`` says what was taken for what.
    """

    fingerprint: str | None
    history: ApiHistory | None
    entry: ApiEntry | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class SubjectSearch:
    """Searches one ledger. ``on_page`` is called for each page of the ledger that a search goes through."""

    api: ApiClient
    access: StackAccess
    on_page: Callable[[], None] = lambda: None

    def find(self, text: str) -> Subject:
        """Return what ``text`` names, or raise a BillEError that says where it was searched for.

        A file goes before a fingerprint, and a fingerprint before a key.
        """
        is_digits = DIGITS.fullmatch(text) is not None
        if _is_file(text):
            taken = f"{text} is a fingerprint and the name of a file; showing the file" if is_digits else None
            of_file = self._of_file(Path(text))
            return replace(of_file, note="; ".join(filter(None, (taken, of_file.note))) or None)
        if is_digits and len(text) == 64:
            return self._of_fingerprint(text.lower(), named=text)
        found = (self._beginning_with(text.lower()) if is_digits else None) or self._with_key(text)
        if found is None:
            raise BillEError(
                f"{text!r} is not a file, and the ledger at {self.access.api_url} has it neither as a key "
                f"nor as a fingerprint (64 hexadecimal digits, or the first {LEAST_DIGITS} or more); "
                "`bill-e receipts --key` searches for a part of a key"
            )
        return found

    def _of_fingerprint(self, fingerprint: str, *, named: str) -> Subject:
        history = self.api.history(fingerprint)
        if history is None:
            besides = "" if named.lower() == fingerprint else f" ({named})"
            raise BillEError(f"the ledger at {self.access.api_url} has no entry for {fingerprint}{besides}")
        return Subject(fingerprint=fingerprint, history=history)

    def _of_file(self, path: Path) -> Subject:
        fingerprint = fingerprint_of_file(path)
        if history := self.api.history(fingerprint):
            return Subject(fingerprint=fingerprint, history=history)
        unread = next(self._unread(path), None)
        if unread is None:
            return self._of_fingerprint(fingerprint, named=str(path))
        note = (
            "the newest upload of the file's name and size that was rejected without being read, so nobody "
            "knows whether its bytes were the same; `bill-e receipts --key` lists all"
        )
        return Subject(fingerprint=None, history=None, entry=unread, note=note)

    def _unread(self, path: Path) -> Iterator[ApiEntry]:
        """Yield the uploads of this name and size that were rejected without being read."""
        name, size = unicodedata.normalize("NFC", path.name), path.stat().st_size
        if not can_be_searched_for(name):
            return
        for entry in self._entries(EntryFilter(outcome="REJECTED", key=name)):
            of_this_name = entry["key"].rpartition("/")[2] == name
            if entry["fingerprint"] is None and of_this_name and entry["size_bytes"] in (size, None):
                yield entry

    def _beginning_with(self, digits: str) -> Subject | None:
        found: dict[str, ApiEntry] = {}
        for entry in self._entries(EntryFilter(fingerprint=digits)):
            found.setdefault(entry["fingerprint"] or "", entry)
            if len(digits) >= ENOUGH_DIGITS or len(found) > MOST_NAMED:
                break
        if len(found) > 1:
            which = "; ".join(f"{fingerprint} ({each['key']})" for fingerprint, each in found.items())
            raise BillEError(f"several fingerprints begin with {digits}, give more digits: {which}")
        return self._of_fingerprint(next(iter(found)), named=digits) if found else None

    def _with_key(self, text: str) -> Subject | None:
        """Return the newest upload with a key, which may lack the stack's upload prefix.

        Its note names others only as far as they are in the same page, so that a recent one is found soon.
        """
        spellings = filter(can_be_searched_for, dict.fromkeys((unicodedata.normalize("NFC", text), text)))
        for spelling in spellings:
            keys = {spelling, f"{self.access.upload_prefix}{spelling}"}
            for page in self._pages(EntryFilter(key=spelling)):
                if found := [entry for entry in page["entries"] if entry["key"] in keys]:
                    return self._newest_of(found)
        return None

    def _newest_of(self, entries: list[ApiEntry]) -> Subject:
        newest, *older = entries
        fingerprint, key = newest["fingerprint"], newest["key"]
        named = ", ".join(
            f"{each['version_id']} of {each['uploaded_at'][:19]}Z" for each in older[:MOST_NAMED]
        )
        others = f"; older ones: {named}" if named else ""
        return Subject(
            fingerprint=fingerprint,
            history=self.api.history(fingerprint) if fingerprint else None,
            entry=newest,
            note=f"the newest upload with the key {key}{others}; `bill-e receipts --key` lists all",
        )

    def _entries(self, chosen: EntryFilter) -> Iterator[ApiEntry]:
        for page in self._pages(chosen):
            yield from page["entries"]

    def _pages(self, chosen: EntryFilter) -> Iterator[ApiPage]:
        for page in self.api.pages(chosen):
            yield page
            self.on_page()


def can_be_searched_for(text: str) -> bool:
    """Tell whether the API searches for a text: one of 1 to 1,024 bytes in UTF-8."""
    try:
        return 1 <= len(text.encode()) <= MAX_SEARCH_BYTES
    except UnicodeEncodeError:  # a name on this machine that isn't UTF-8
        return False


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # It is too long for the name of a file, but may be a key.
        return False
