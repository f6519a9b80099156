"""What each change of a setting does to a running stack: ``python -m tests.engine.changes`` writes the page.

The engine says so in a preview of a deployed stack. `docs/changes.md` is the page, and `test_changes.py`
checks that it is up to date.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from components.settings import StackSettings
from local import REPOSITORY
from local.emulator.process import running_emulator
from tests.engine.stacks import Engine, Run, Stack, Step, copy_program

PAGE = REPOSITORY / "docs" / "changes.md"

FORMER_KEY = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000"

BASES: Mapping[str, Mapping[str, Any]] = {
    "plain": {"protectData": True},
    "jwt": {
        "protectData": True,
        "apiAuth": "jwt",
        "jwtIssuer": "https://issuer.example.com",
        "jwtAudience": ["bill-e"],
    },
    "full": {
        "protectData": True,
        "encryption": "customer-key",
        "objectLockDays": 30,
        "alarmEmail": "on-call@example.com",
        "allowedOrigins": ["https://receipts.example.com"],
        "alarms": "essential",
    },
    "unprotected": {},
}
"""The settings of the stacks that a setting is changed on, beside those that every stack here has."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A setting that is changed alone, on a stack with the settings of `base`."""

    setting: str
    to: Any
    base: str = "plain"
    with_it: Mapping[str, Any] = field(default_factory=dict)
    """What has to change with it, since it would not be allowed otherwise."""

    @property
    def settings(self) -> dict[str, Any]:
        return {**BASES[self.base], **self.with_it, self.setting: self.to}

    @property
    def words(self) -> str:
        """Say the change, such as ``10 → 20``, and which settings are set or removed with it."""
        before = BASES[self.base].get(self.setting, _default(self.setting))
        change = f"{_word(before)} → {_word(self.to)}"
        if not self.with_it:
            return change
        others = " and ".join(f"`{name}`" for name in self.with_it)
        return f"{change}, {'with' if any(self.with_it.values()) else 'without'} {others}"


CASES: Sequence[Case] = (
    Case(
        setting="apiAuth",
        to="jwt",
        with_it={"jwtIssuer": "https://issuer.example.com", "jwtAudience": ["bill-e"]},
    ),
    Case(setting="apiAuth", to="iam", base="jwt", with_it={"jwtIssuer": "", "jwtAudience": []}),
    Case(setting="jwtIssuer", to="https://login.example.com", base="jwt"),
    Case(setting="jwtAudience", to=["bill-e", "console"], base="jwt"),
    Case(setting="jwtReadScope", to="ledger:read", base="jwt"),
    Case(setting="jwtUploadScope", to="ledger:write", base="jwt"),
    Case(setting="jwtFilesScope", to="ledger:files", base="jwt"),
    Case(setting="allowedOrigins", to=["https://receipts.example.com"]),
    Case(setting="allowedOrigins", to=[], base="full"),
    Case(setting="maxReceiptMegabytes", to=50),
    Case(setting="acceptedTypes", to=["application/pdf"]),
    Case(setting="uploadPrefix", to="receipts/"),
    Case(setting="maxConcurrency", to=20),
    Case(setting="batchSize", to=5),
    Case(setting="batchWindowSeconds", to=5),
    Case(setting="functionTimeoutSeconds", to=120),
    Case(setting="ledgerShards", to=8),
    Case(setting="ledgerShards", to=2),
    Case(setting="ledgerMaxReadUnits", to=8000),
    Case(setting="ledgerMaxWriteUnits", to=2000),
    Case(setting="reconcileEveryHours", to=24),
    Case(setting="encryption", to="customer-key"),
    Case(setting="encryption", to="aws-owned", base="full"),
    Case(setting="formerKeyArns", to=[FORMER_KEY]),
    Case(setting="objectLockDays", to=30),
    Case(setting="objectLockDays", to=60, base="full"),
    Case(setting="objectLockDays", to=0, base="full"),
    Case(setting="objectLockMode", to="compliance", base="full"),
    Case(setting="logRetentionDays", to=365),
    Case(setting="protectData", to=False),
    Case(setting="protectData", to=True, base="unprotected"),
    Case(setting="throttleRate", to=100),
    Case(setting="throttleBurst", to=200),
    Case(setting="alarms", to="essential"),
    Case(setting="alarms", to="all", base="full"),
    Case(setting="alarmEmail", to="on-call@example.com"),
    Case(setting="alarmEmail", to="", base="full"),
    Case(setting="runbookUrl", to="https://wiki.example.com/bill-e"),
    Case(setting="alarmOldestMessageSeconds", to=3600),
    Case(setting="alarmFunctionErrors", to=5),
    Case(setting="alarmUnbackedReceipts", to=5),
    Case(setting="alarmApiErrors", to=5),
    Case(setting="alarmApiLatencyMilliseconds", to=5000),
    Case(setting="alarmTableThrottles", to=50),
)

TWO_ENTRIES = (
    "Nothing. If an upload's event is delivered both before and after the change, the upload can get two "
    "entries, and `bill-e reconcile` reports them"
)

LOST = {
    ("encryption", "aws-owned"): "Nothing, if `formerKeyArns` names the key in the same update. Otherwise "
    "uploads and messages under the key can't be read until it does. The key stays in the account and has a "
    "monthly fee",
    ("logRetentionDays", 365): "Nothing. If you lower it, CloudWatch and S3 delete the older logs",
    ("objectLockDays", 0): "Nothing. Without protectData, new uploads get no lock any more; locked ones "
    "stay locked",
    ("protectData", False): "Nothing now; from then on, `pulumi destroy` deletes the uploads and the ledger",
    ("objectLockMode", "compliance"): "Nothing. Nobody can delete a new upload before its lock ends, not "
    "even the account's root user",
    ("maxReceiptMegabytes", 50): TWO_ENTRIES,
    ("acceptedTypes", ("application/pdf",)): TWO_ENTRIES,
    ("uploadPrefix", "receipts/"): "Nothing. From then on, uploads outside the folder get no entry",
    ("alarmEmail", ""): "Nothing. Nobody gets e-mails about alarms any more",
}
"""What a change costs beyond what the engine sees, by setting and new value."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a case does: the engine's steps, or the sentence that it is refused with."""

    case: Case
    steps: tuple[Step, ...]
    refused: str | None

    def operations(self, *names: str) -> list[Step]:
        found = [
            step
            for step in self.steps
            if step.operation in names and not step.type.startswith(("bill-e:", "pulumi:"))
        ]
        return sorted(found, key=lambda step: (step.type, step.name))

    @property
    def row(self) -> str:
        if self.refused:
            return _row(f"`{self.case.setting}`", self.case.words, f"refused: {self.refused}", "", "")
        others = [
            f"{'leaves' if step.retained else _VERBS[step.operation]} {what}"
            for step, what in _grouped(self.operations("create", "delete", "replace"))
        ]
        lost = LOST.get((self.case.setting, _hashable(self.case.to)), "nothing")
        return _row(
            f"`{self.case.setting}`",
            self.case.words,
            "<br>".join(
                f"{what} ({', '.join(step.changed)})" for step, what in _grouped(self.operations("update"))
            )
            or "nothing",
            "<br>".join(others) or "nothing",
            lost,
        )


_VERBS = {"create": "creates", "delete": "removes", "replace": "replaces"}

FEW = 4
"""More resources of one type with the same change are counted, not named."""


def _grouped(steps: Sequence[Step]) -> Iterator[tuple[Step, str]]:
    """Yield steps that do the same to resources of one type together: one of them, and what to call them."""

    def alike(step: Step) -> tuple[str, str, tuple[str, ...], bool]:
        return step.type, step.operation, step.changed, step.retained

    for _, group in groupby(sorted(steps, key=alike), key=alike):
        members = list(group)
        if len(members) > FEW:
            yield members[0], f"{len(members)} resources of type `{members[0].type}`"
        else:
            yield from ((step, f"`{step.name}`") for step in members)


PREAMBLE = """\
# What changing a setting does to a running stack

Read this before `pulumi up`. Each row shows what the Pulumi engine plans if you change one setting on a
running stack. The stacks have `protectData: true`, except in the row that says otherwise. Which changes
replace a resource comes from our own provider ([decision 7](decisions/0007-the-engine-in-our-checks.md)),
which follows pulumi-aws. `make changes` writes this page.

No change of a setting replaces or deletes a bucket, a table, a queue, a key or a log group. A resource in the
third column keeps its identity and its data.

| setting | change | updated in place | created, replaced or removed | lost |
|---|---|---|---|---|
"""


def effects(folder: Path, cases: Sequence[Case] = CASES) -> Iterator[Effect]:
    """Deploy a stack for each base, and preview every case on a copy of its state."""
    with running_emulator() as emulator:
        states = {}
        for name, settings in BASES.items():
            engine = Engine(
                emulator=emulator,
                program=copy_program(folder / f"program-{name}"),
                state=_made(folder / f"state-{name}"),
            )
            stack = engine.stack("changed", settings)
            deployed = stack.up()
            assert deployed.code == 0, deployed.text
            states[name] = stack
        with ThreadPoolExecutor(len(BASES)) as pool:
            # A stack is previewed by one command at a time, since its settings are in one file.
            groups = pool.map(
                lambda name: [_effect(states[name], case) for case in cases if case.base == name], BASES
            )
            found = {id(effect.case): effect for group in groups for effect in group}
    yield from (found[id(case)] for case in cases)


def _effect(stack: Stack, case: Case) -> Effect:
    stack.configure(**case.settings)
    planned = stack.preview()
    return Effect(case=case, steps=tuple(planned.changes()), refused=_refusal(planned))


def _refusal(run: Run) -> str | None:
    """Return what the engine says against a change, in one line."""
    if run.code == 0:
        return None
    for line in run.text.splitlines():
        text = line.strip()
        if text.startswith("- ") and "allowed:" in text:
            return text.removeprefix("- ")
        if "is currently marked for protection" in text or "is protected" in text:
            return "Pulumi doesn't delete what is protected; set `protectData` to false first"
    raise AssertionError(run.text)


def page(found: Sequence[Effect]) -> str:
    return PREAMBLE + "".join(effect.row for effect in found)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _default(setting: str) -> Any:
    fields = StackSettings.__dataclass_fields__
    return {"logRetentionDays": 30, "protectData": False, "maxConcurrency": 2, "batchWindowSeconds": 0}.get(
        setting, fields[StackSettings.names()[setting]].default
    )


def _word(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"{len(value)} items" if len(value) > 1 else (f"`{value[0]}`" if value else "none")
    if value in ("", None):
        return "none"
    return json.dumps(value) if isinstance(value, bool) else f"{value:,}" if isinstance(value, int) else value


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        PAGE.write_text(page(list(effects(Path(scratch)))), encoding="utf-8")
