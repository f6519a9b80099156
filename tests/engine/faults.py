"""The faults of `faulty_plugin`, for tests to ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.engine.faulty_plugin import file_name
from tests.local.eventually import eventually

PLUGINS = {"pulumi-resource-aws": "tests.engine.faulty_plugin"}


@dataclass(frozen=True, kw_only=True)
class Faults:
    folder: Path

    def ask(self, fault: Literal["fail", "hang", "hang-after", "die"], types: Iterable[str]) -> None:
        (self.folder / fault).mkdir(parents=True, exist_ok=True)
        for type_ in types:
            (self.folder / fault / file_name(type_)).touch()

    def refuse(self, calls: Mapping[str, int]) -> None:
        """Have one AWS call of the next create of each type refused; ``calls`` counts from 1."""
        (self.folder / "refuse").mkdir(parents=True, exist_ok=True)
        for type_, number in calls.items():
            (self.folder / "refuse" / file_name(type_)).write_text(str(number))

    def left(self) -> set[str]:
        """The types whose fault has not come yet, as file names."""
        return {file.name for file in self.folder.glob("*/*") if file.parent.name != "hanging"}

    def wait_until_hanging(self, type_: str) -> None:
        eventually(f"a create of {type_}", (self.folder / "hanging" / file_name(type_)).exists)
