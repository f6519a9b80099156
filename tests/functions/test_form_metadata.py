from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.contract.entry import Caller
from functions.contract.form_metadata import CALLER, FIELD_PREFIX, caller_named, read_caller, write_caller

MAX_METADATA_BYTES = 2 * 1024
"""Amazon S3 User Guide, "Working with object metadata"."""

ODD = [
    "a b+c&d=e%20;f",
    "principal=arn:aws:iam::123456789012:root",
    "größe 領収書 🧾",
    "line\r\nx-amz-meta-caller: other\x00\x7f",
    "  spaces at both ends  ",
    "=?UTF-8?Q?encoded_word?=",
    "${filename}",
    "half \ud83e",
]


@pytest.mark.parametrize(
    "name", [*ODD, "7f4df3a1-9c50-4f0e-8f3f-0c5d5c1d2e3f", "auth0|5f7c8ec7c33c6c004bbafe82"]
)
def test_a_caller_is_read_back_as_it_was_written(name: str) -> None:
    for names in ({"principal": name}, {"issuer": "https://login.example/a?b=c", "subject": name}):
        caller = caller_named(names)
        assert caller is not None

        assert read_caller({CALLER: write_caller(caller), "other": "x"}) == caller


@given(st.text(st.characters(), max_size=2_000), st.text(st.characters(), max_size=2_000))
def test_any_caller_fits_into_the_metadata_of_an_object(issuer: str, subject: str) -> None:
    caller = caller_named({"issuer": issuer, "subject": subject})
    if caller is None:
        assert not issuer + subject
        return
    written = write_caller(caller)

    assert written.isascii()
    assert written.isprintable()
    assert " " not in written
    assert len(FIELD_PREFIX + CALLER + written) <= MAX_METADATA_BYTES
    assert read_caller({CALLER: written}) == caller


def test_a_long_name_is_cut_and_cannot_be_taken_for_another() -> None:
    longest, longer, other = "s" * 255, "s" * 256, "s" * 255 + "t"

    cut = [caller_named({"subject": name}) for name in (longest, longer, other)]

    assert cut[0] == Caller(subject=longest)
    assert len(set(cut)) == 3
    assert caller_named({"subject": str(cut[1].subject if cut[1] else "")}) not in cut


@pytest.mark.parametrize("names", [{}, {"principal": None, "issuer": "", "subject": None}])
def test_nobody_has_no_name(names: dict[str, str | None]) -> None:
    assert caller_named(names) is None


@pytest.mark.parametrize("text", ["", "nonsense", "role=admin", "%", "principal=", "&&=", "\ufffd"])
def test_metadata_that_says_nothing_of_a_caller_names_nobody(text: str) -> None:
    assert read_caller({CALLER: text}) is None
    assert read_caller({}) is None
