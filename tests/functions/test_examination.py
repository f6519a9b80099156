from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from functions.contract.entry import Reason
from functions.processor.examination import DamagedReadError, Examination, Rules, examine
from tests.functions.examples import JPEG, PDF, PNG, TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
RULES = Rules(accepted_types=frozenset({"image/png", "application/pdf"}), max_bytes=1000)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Stored:
    """An object in memory that hands out pieces of ``piece`` bytes and counts them."""

    data: bytes
    piece: int = 16
    declared: int | None = None
    sha256: str | None = None
    pieces_read: int = 0

    @property
    def size_bytes(self) -> int:
        return len(self.data) if self.declared is None else self.declared

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), self.piece):
            self.pieces_read += 1
            yield self.data[start : start + self.piece]


@pytest.mark.parametrize(("data", "media_type"), [(PNG + bytes(500), "image/png"), (PDF, "application/pdf")])
def test_an_accepted_type_gets_its_fingerprint_size_and_type(data: bytes, media_type: str) -> None:
    assert examine(Stored(data), RULES) == Examination(
        fingerprint=sha256(data), size_bytes=len(data), media_type=media_type, reason=None
    )


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
def test_the_size_of_the_pieces_makes_no_difference(piece: int) -> None:
    data = PNG + bytes(range(200))

    assert examine(Stored(data, piece), RULES) == examine(Stored(data), RULES)


@pytest.mark.parametrize(("data", "media_type"), [(JPEG, "image/jpeg"), (TEXT, None)])
def test_an_unsupported_type_is_rejected_with_its_fingerprint(data: bytes, media_type: str | None) -> None:
    assert examine(Stored(data), RULES) == Examination(
        fingerprint=sha256(data),
        size_bytes=len(data),
        media_type=media_type,
        reason=Reason.UNSUPPORTED_TYPE,
    )


def test_an_empty_object_is_rejected_with_the_fingerprint_of_no_bytes() -> None:
    assert examine(Stored(b""), RULES) == Examination(
        fingerprint=sha256(b""), size_bytes=0, media_type=None, reason=Reason.EMPTY
    )


def test_a_receipt_of_the_largest_size_is_taken() -> None:
    assert examine(Stored(PNG.ljust(1000)), RULES).reason is None


def test_one_byte_more_is_rejected_without_being_read() -> None:
    stored = Stored(PNG.ljust(1001))

    assert examine(stored, RULES) == Examination(
        fingerprint=None, size_bytes=1001, media_type=None, reason=Reason.TOO_LARGE
    )
    assert stored.pieces_read == 0


@pytest.mark.parametrize("declared", [len(PNG) + 1, 900])
def test_a_read_that_ends_early_is_damaged_and_not_judged(declared: int) -> None:
    with pytest.raises(DamagedReadError, match=rf"{len(PNG)} bytes .* of {declared} bytes"):
        examine(Stored(PNG, declared=declared), RULES)


def test_a_read_that_does_not_end_is_given_up_at_the_declared_size() -> None:
    stored = Stored(PNG.ljust(1_000_000), piece=100, declared=200)

    with pytest.raises(DamagedReadError):
        examine(stored, RULES)
    assert stored.pieces_read == 3


def test_a_known_sha256_that_differs_from_the_bytes_is_damaged() -> None:
    with pytest.raises(DamagedReadError, match=sha256(JPEG)):
        examine(Stored(PNG, sha256=sha256(JPEG)), RULES)


def test_a_known_sha256_that_fits_is_no_obstacle() -> None:
    assert examine(Stored(PNG, sha256=sha256(PNG)), RULES).fingerprint == sha256(PNG)


def test_reading_can_be_given_up_between_pieces() -> None:
    stored = Stored(PNG.ljust(160))

    def give_up() -> None:
        if stored.pieces_read == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        examine(stored, RULES, keep_going=give_up)
    assert stored.pieces_read == 3


class Endless:
    """An object that is made up while it is read."""

    size_bytes = 200 * MIB
    sha256 = None

    def chunks(self) -> Iterator[bytes]:
        yield PNG.ljust(MIB)
        for number in range(199):
            yield bytes([number]) * MIB


def test_a_200_mb_object_is_read_in_constant_memory() -> None:
    tracemalloc.start()
    try:
        finding = examine(Endless(), Rules(accepted_types=RULES.accepted_types, max_bytes=200 * MIB))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert finding.reason is None
    assert finding.size_bytes == 200 * MIB
    assert peak < 4 * MIB
