from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.contract.entry import ObjectVersion, format_time, parse_time

MOMENTS = st.datetimes(timezones=st.just(UTC))


def test_object_id_is_the_same_for_the_same_object_version() -> None:
    one, again = (ObjectVersion(bucket="b", key="k", version_id="v") for _ in range(2))

    assert one.object_id == again.object_id
    assert len(one.object_id) == 64


@pytest.mark.parametrize(
    "other",
    [
        ObjectVersion(bucket="b2", key="k", version_id="v"),
        ObjectVersion(bucket="b", key="k2", version_id="v"),
        ObjectVersion(bucket="b", key="k", version_id="v2"),
        ObjectVersion(bucket="b", key="", version_id="vk"),
        ObjectVersion(bucket="bv", key="k", version_id=""),
    ],
)
def test_object_id_differs_for_another_bucket_key_or_version(other: ObjectVersion) -> None:
    assert other.object_id != ObjectVersion(bucket="b", key="k", version_id="v").object_id


@given(MOMENTS)
def test_a_formatted_time_reads_back_as_the_same_time_at_fixed_width(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment
    assert len(format_time(moment)) == 27


@given(MOMENTS, MOMENTS)
def test_text_order_of_formatted_times_is_time_order(one: datetime, other: datetime) -> None:
    assert (format_time(one) < format_time(other)) == (one < other)


def test_a_time_with_another_offset_is_read_as_utc() -> None:
    moment = datetime(2026, 11, 22, 13, 0, tzinfo=timezone(timedelta(hours=2)))

    assert parse_time("2026-11-22T13:00:00+02:00") == moment
    assert format_time(moment) == "2026-11-22T11:00:00.000000Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-13-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_anything_but_a_time_with_an_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)
