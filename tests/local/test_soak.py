from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import pytest

from cli.operator.resources import StackResources
from cli.screen.terminal import Terminal
from functions.contract import schema
from functions.contract.entry import ObjectVersion, Reason
from local import LocalError
from local.commands import soak as soaking
from local.commands.soak import Findings, compare, soak
from local.embedded_stack import EmbeddedStack
from local.workload import Planned, plan

UPLOADS = 60


def test_soak_ends_well_under_faults_and_not_once_an_entry_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both in one test, since a soak takes some time."""

    def compare_and_lose_an_entry(
        stack: EmbeddedStack,
        resources: StackResources,
        uploaded: Mapping[ObjectVersion, Planned],
        terminal: Terminal,
    ) -> Findings:
        before = compare(stack, resources, uploaded, terminal)
        assert before.verdict is None
        assert before.totals.recorded == UPLOADS
        lose_an_entry(stack)
        return compare(stack, resources, uploaded, terminal)

    def plan_what_stays(uploads: int, *, too_large_bytes: int, dice: random.Random) -> list[Planned]:
        """Leave out what vanishes: its entries come only after minutes."""
        more = plan(2 * uploads, too_large_bytes=too_large_bytes, dice=dice)
        return [planned for planned in more if not planned.vanishes][:uploads]

    monkeypatch.setattr(soaking, "REDELIVERY_SECONDS", 10)
    monkeypatch.setattr(soaking, "plan", plan_what_stays)
    monkeypatch.setattr(soaking, "compare", compare_and_lose_an_entry)

    with pytest.raises(LocalError, match="1 missing, 0 recorded more than once"):
        soak(UPLOADS)

    figures = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert figures["missing"] == "1"
    assert figures["redeliveries"] != "0 messages delivered once more"


def lose_an_entry(stack: EmbeddedStack) -> None:
    dynamodb, table = (stack.administrator.client("dynamodb"), stack.outputs["ledger_table"])
    item = next(one for one in dynamodb.scan(TableName=table)["Items"] if not schema.is_note(one))
    dynamodb.delete_item(
        TableName=table, Key={name: item[name] for name in (schema.FINGERPRINT, schema.ENTRY)}
    )


@pytest.mark.parametrize("uploads", [30, 47, 3000])
def test_plan_has_as_many_uploads_as_are_asked_for_and_some_of_every_kind(uploads: int) -> None:
    planned = plan(uploads, too_large_bytes=10, dice=random.Random(1))  # noqa: S311

    assert len(planned) == uploads
    # The bucket of a stack is versioned, and refuses what can't be read.
    assert {one.reason for one in planned} == {None, *Reason} - {Reason.UNVERSIONED, Reason.UNREADABLE}
    receipts = [one for one in planned if one.reason is None]
    assert max(Counter(one.content for one in receipts).values()) > 1
    assert max(Counter(one.key for one in receipts).values()) > 1
