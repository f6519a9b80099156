from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Run
from tests.cli.operated_stack import OperatedStack


def test_backfill_sends_what_has_no_entry_and_nothing_again(operator: Run, operated: OperatedStack) -> None:
    operated.record(operated.upload("recorded.png"))
    versions = [operated.upload(f"{number}.png") for number in range(23)]

    ran = operator("backfill", "--json")

    report = json.loads(ran.out)
    assert (ran.code, report["sent"]) == (0, 23)
    assert report["totals"] == {"versions": 24, "recorded_before": 1, "to_send": 23}
    sent = operated.sent()
    assert {record["s3"]["object"]["versionId"] for record in sent} == {one.version_id for one in versions}
    assert {record["eventSource"] for record in sent} == {"bill-e:backfill"}

    for version in versions:
        operated.record(version)
    assert json.loads(operator("backfill", "--json").out)["sent"] == 0


def test_every_version_of_a_key_is_sent(operator: Run, operated: OperatedStack) -> None:
    for _ in range(3):
        operated.upload("a.png")

    operator("backfill")

    assert len({record["s3"]["object"]["versionId"] for record in operated.sent()}) == 3


def test_time_range_and_prefix_choose(operator: Run, operated: OperatedStack) -> None:
    operated.upload("a/1.png")
    operated.upload("b/2.png")

    for chosen, expected in (
        (("--to", "2020-01-01"), []),
        (("--from", "2100-01-01"), []),
        (("--from", "2020-01-01", "--prefix", "b/"), ["b/2.png"]),
    ):
        operator("backfill", *chosen)
        assert [record["s3"]["object"]["key"] for record in operated.sent()] == expected


def test_dry_run_says_what_would_be_sent_and_sends_nothing(operator: Run, operated: OperatedStack) -> None:
    operated.upload("a.png")

    ran = operator("backfill", "--dry-run")

    assert ran.code == 0
    assert "a.png" in ran.out
    assert "object versions: 1 = 0 recorded before + 1 would be sent (dry run)" in ran.out
    planned = json.loads(operator("backfill", "--dry-run", "--json").out)
    assert [message["Records"][0]["s3"]["object"]["key"] for message in planned["messages"]] == ["a.png"]
    assert operated.sent() == []


@pytest.mark.parametrize("arguments", [("--from", "2026-11-02", "--to", "2026-11-02"), ("--from", "soon")])
def test_time_range_that_is_none_is_wrong_usage(operator: Run, arguments: tuple[str, ...]) -> None:
    assert operator("backfill", *arguments).code == 2
