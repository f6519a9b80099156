"""The AWS provider with faults. A test asks for them with files in the folder that ``FAULTS`` names.

``fail/TYPE`` makes the next create of that type fail. ``hang/TYPE`` makes it wait for ever and say so in
``hanging/TYPE``; ``hang-after/TYPE`` does so once the resource exists. ``die/TYPE`` ends the plugin.
``refuse/TYPE`` holds the number of the AWS call that is refused. File names have ``_`` for ``/``.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from local import LocalError
from local.engine.aws_plugin import AwsPlugin, main
from local.provider import provider
from local.provider.resource_types import Created
from tests.local.refusing_aws import RefusingAws

FAILURE = "it was told to fail"


def file_name(type_: str) -> str:
    return type_.replace("/", "_")


class FaultyPlugin(AwsPlugin):
    def create(self, type_: str, name: str, inputs: dict[str, Any]) -> Created:
        faults = Path(self._environment["FAULTS"])
        if _take(faults / "fail" / file_name(type_)) is not None:
            raise LocalError(f"{type_} {name!r}: {FAILURE}")
        if _take(faults / "die" / file_name(type_)) is not None:
            os._exit(3)
        if _take(faults / "hang" / file_name(type_)) is not None:
            _hang(faults, type_)
        if call := _take(faults / "refuse" / file_name(type_)):
            return provider.create(RefusingAws.like(self.aws, int(call)), type_, name, inputs)
        made = super().create(type_, name, inputs)
        if _take(faults / "hang-after" / file_name(type_)) is not None:
            _hang(faults, type_)
        return made


def _hang(faults: Path, type_: str) -> None:
    (faults / "hanging").mkdir(exist_ok=True)
    (faults / "hanging" / file_name(type_)).touch()
    threading.Event().wait()


def _take(file: Path) -> str | None:
    """Take a fault, so that it comes once; what its file holds, or ``None`` if there is none."""
    try:
        text = file.read_text()
        file.unlink()
    except FileNotFoundError:
        return None
    return text


if __name__ == "__main__":
    main(FaultyPlugin)
