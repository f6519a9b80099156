"""Whole files of every format are accepted, and what is left when they are cut isn't."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.contract.entry import MAX_DETAIL_CHARACTERS, ContentFinding
from functions.contract.processing import ACCEPTABLE_TYPES
from functions.processor.formats.heif import HEIC
from functions.processor.formats.incoming import PADDING
from tests.functions.formats import documents, images, structured
from tests.functions.formats.samples import Sample, inspect

if TYPE_CHECKING:
    from functions.processor.formats.inspector import Inspection

SAMPLES = images.samples() | documents.samples() | structured.samples()
STARTS = st.sampled_from(sorted({sample.data[:64] for sample in SAMPLES.values()}))

each_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def lengths(sample: Sample) -> list[int]:
    """Every length of a small file, and of a larger one those near its ends and some between."""
    size = len(sample.data)
    return sorted({*range(1, min(size, 1500)), *range(0, size, 13), *range(max(size - 1500, 0), size)})


def test_each_acceptable_type_is_read_to_its_end() -> None:
    assert {sample.media_type for sample in SAMPLES.values()} == {*ACCEPTABLE_TYPES}


@each_sample
def test_a_whole_file_is_recognised_with_what_is_worth_knowing_about_it(sample: Sample) -> None:
    assert inspect(sample.data) == sample.expected


@each_sample
@pytest.mark.claim(
    "a file of any acceptable type that is cut off is not accepted, unless what is left is whole by itself",
    section="Only what is true enters the ledger",
)
def test_a_file_that_is_cut_anywhere_is_not_taken_for_a_whole_one(sample: Sample) -> None:
    whole = {size: said for size in lengths(sample) if (said := inspect(sample.data[:size])).damage is None}
    wrong = {size: said for size, said in whole.items() if not explains_itself(sample, size, said)}

    assert wrong == {}


def explains_itself(sample: Sample, size: int, said: Inspection) -> bool:
    """Whether this many bytes of a file are too few to have a type, or all that matters of it."""
    if said.media_type is None:
        return size < sample.typed_from
    return not sample.data[size:].strip(PADDING) or bool(sample.whole_from and size >= sample.whole_from)


@each_sample
def test_the_damage_says_where_a_file_ends(sample: Sample) -> None:
    size = (sample.whole_from or len(sample.data)) * 2 // 3

    said = inspect(sample.data[:size])

    assert said.media_type == (HEIC if sample.data[8:12] == b"mif1" else sample.media_type)
    assert said.damage is not None
    assert said.damage.startswith(f"ends after {size:,} bytes, ")
    assert len(said.damage) <= MAX_DETAIL_CHARACTERS


@each_sample
@pytest.mark.claim(
    "bytes after the end of a file are reported, unless they are zeros or white space",
    section="Only what is true enters the ledger",
)
def test_bytes_after_the_end_are_trailing_data_if_they_mean_anything(sample: Sample) -> None:
    padded, trailed = inspect(sample.data + bytes(4)), inspect(sample.data + b"\xff" * 20)

    assert padded == sample.expected
    assert trailed.damage is None
    assert {*trailed.findings} == {*sample.findings, ContentFinding.TRAILING_DATA}


@pytest.mark.parametrize("padding", [bytes([each]) * 9 for each in PADDING])
def test_white_space_and_zeros_after_the_end_mean_nothing(padding: bytes) -> None:
    assert inspect(SAMPLES["jpeg"].data + padding).findings == ()


@pytest.mark.usefixtures("every_chunk_is_read_by_itself")
@each_sample
def test_a_file_that_arrives_byte_by_byte_is_the_same(sample: Sample) -> None:
    assert inspect(*(bytes([each]) for each in sample.data)) == sample.expected


@pytest.mark.usefixtures("every_chunk_is_read_by_itself")
@pytest.mark.parametrize("new", [b"startxref 9", b"/JSON startxref ", b"/J#53ON startxref "])
def test_a_word_that_arrives_in_parts_is_read_as_a_whole(new: bytes) -> None:
    data = SAMPLES["pdf"].data.replace(b"startxref\n", new)

    assert inspect(*(bytes([each]) for each in data)) == inspect(data)


@pytest.mark.usefixtures("every_chunk_is_read_by_itself")
@settings(deadline=None)
@given(st.sampled_from([*SAMPLES.values()]), st.lists(st.integers(0, 12_000), max_size=8), st.data())
def test_it_makes_no_difference_how_a_file_is_split(
    sample: Sample, at: list[int], data: st.DataObject
) -> None:
    whole = sample.data[: data.draw(st.integers(0, len(sample.data)))]
    edges = sorted({0, len(whole), *(each for each in at if each < len(whole))})
    chunks = [whole[start:end] for start, end in pairwise(edges)]

    assert inspect(*chunks) == inspect(whole)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A file in which bytes were changed, taken out, or put in from another one."""
    samples = st.sampled_from([*SAMPLES.values()])
    data = bytearray(draw(samples).data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 64))
        other = draw(samples).data
        begin = draw(st.integers(0, len(other)))
        data[start:end] = draw(st.binary(max_size=16) | st.just(other[begin : begin + 64]))
    return bytes(data)


@pytest.mark.claim(
    "a file is judged whatever its bytes are, and in whatever pieces they arrive", section="Hostile input"
)
@settings(deadline=None, max_examples=500)
@given(mutated() | st.builds(bytes.__add__, STARTS, st.binary()))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    said = inspect(data)

    assert said.media_type or not said.damage
    if said.damage is not None:
        assert 0 < len(said.damage) <= MAX_DETAIL_CHARACTERS
        assert said.damage.isprintable()
        assert not said.findings
    assert list(said.findings) == sorted({*said.findings})
