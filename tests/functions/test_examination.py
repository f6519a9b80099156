from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from functions.contract.entry import ContentFinding, Reason
from functions.processor.examination import DamagedReadError, Examination, Rules, examine
from local.whole_files import png
from tests.functions.examples import JPEG, PDF, PNG, TEXT, stored

RULES = Rules(accepted_types=frozenset({"image/png", "application/pdf"}), max_bytes=1000)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("data", "media_type", "reason"),
    [
        (PNG, "image/png", None),
        (PNG.ljust(1000), "image/png", None),
        (PDF, "application/pdf", None),
        (JPEG, "image/jpeg", Reason.UNSUPPORTED_TYPE),
        (JPEG[:-2], "image/jpeg", Reason.UNSUPPORTED_TYPE),
        (TEXT, None, Reason.UNSUPPORTED_TYPE),
        (b"", None, Reason.EMPTY),
    ],
    ids=[
        "image",
        "of the largest size",
        "PDF",
        "another type",
        "cut, of another type",
        "no known type",
        "empty",
    ],
)
def test_an_object_is_judged_by_its_bytes(data: bytes, media_type: str | None, reason: Reason | None) -> None:
    assert examine(stored(data), RULES) == Examination(
        fingerprint=sha256(data), size_bytes=len(data), media_type=media_type, reason=reason
    )


@pytest.mark.parametrize("piece", [7, 1000])
def test_a_file_that_is_cut_is_damaged_and_the_detail_says_where_it_ends(piece: int) -> None:
    examined = examine(stored(PNG[:60], piece), RULES)

    assert (examined.media_type, examined.reason) == ("image/png", Reason.DAMAGED)
    assert examined.detail == "ends after 60 bytes, before the chunk IEND"
    assert (examined.size_bytes, examined.fingerprint) == (60, sha256(PNG[:60]))


@pytest.mark.parametrize(
    ("accepted_types", "findings"),
    [({"image/png"}, (ContentFinding.TRAILING_DATA,)), ({"image/jpeg"}, ())],
    ids=["accepted", "rejected"],
)
def test_findings_are_about_files_that_are_accepted(
    accepted_types: set[str], findings: tuple[ContentFinding, ...]
) -> None:
    rules = replace(RULES, accepted_types=frozenset(accepted_types))

    assert examine(stored(PNG + TEXT), rules).findings == findings


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
def test_the_size_of_the_pieces_makes_no_difference(piece: int) -> None:
    data = png(bytes(range(200))) + TEXT

    assert examine(stored(data, piece), RULES) == examine(stored(data), RULES)


def test_one_byte_too_many_is_rejected_without_being_read() -> None:
    too_large = stored(PNG.ljust(1001))

    assert examine(too_large, RULES) == Examination(
        fingerprint=None, size_bytes=1001, media_type=None, reason=Reason.TOO_LARGE
    )
    assert too_large.pieces_read == 0


@pytest.mark.parametrize("declared", [len(PNG) + 1, 900])
def test_a_read_that_ends_early_is_damaged_and_not_judged(declared: int) -> None:
    with pytest.raises(DamagedReadError, match=rf"{len(PNG)} bytes .* of {declared} bytes"):
        examine(stored(PNG, size_bytes=declared), RULES)


def test_a_known_sha256_that_differs_from_the_bytes_is_damaged() -> None:
    with pytest.raises(DamagedReadError, match=sha256(JPEG)):
        examine(stored(PNG, sha256=sha256(JPEG)), RULES)


def test_a_known_sha256_that_matches_the_bytes_is_accepted() -> None:
    assert examine(stored(PNG, sha256=sha256(PNG)), RULES).fingerprint == sha256(PNG)


def test_reading_can_be_given_up_between_pieces() -> None:
    given_up = stored(PNG.ljust(160))

    def give_up() -> None:
        if given_up.pieces_read == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        examine(given_up, RULES, keep_going=give_up)
    assert given_up.pieces_read == 3
