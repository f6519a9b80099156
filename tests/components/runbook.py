"""The runbook, docs/operations.md, and the commands in it as a shell reads them."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.components.mocks import REPOSITORY

TEXT = (REPOSITORY / "docs" / "operations.md").read_text()

END = "\x1e"

RECORDING = f"""
record() {{ printf '%s\\0' "$@" $'{END}' >> "$CALLS"; }}
aws() {{ record aws "$@"; printf '%s\\n' "$AWS_SAYS"; }}
bill-e() {{ record bill-e "$@"; }}
pulumi() {{ record pulumi "$@"; printf '%s\\n' "$PULUMI_SAYS"; }}
"""
"""Programs that write down how they were called, and print what they are told to."""

PRINTING_NOTHING = """
jq() { record jq "$@"; }
sort() { :; }
comm() { :; }
date() { :; }
log_group() { echo "group:$1"; }
out() { echo "output-$1"; }
"""
"""What else the runbook calls, where only the calls matter: nothing of this machine is run."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """How a program was called."""

    program: str
    arguments: tuple[str, ...]

    def option(self, name: str) -> str | None:
        """Return the value of an option, None where it isn't given."""
        given = f"--{name}"
        return self.arguments[self.arguments.index(given) + 1] if given in self.arguments else None

    def __str__(self) -> str:
        return " ".join((self.program, *self.arguments))


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a piece of the runbook printed, and the calls that it made."""

    out: str
    calls: list[Call]


def blocks() -> list[str]:
    """The runbook's code blocks, all of which are for a shell."""
    return re.findall(r"^ *```\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)


def block_with(text: str) -> str:
    """The one code block that has this text in it."""
    (found,) = (block for block in blocks() if text in block)
    return found


def run(script: str, *, aws_says: str = "", pulumi_says: str = "") -> Ran:
    """Run commands of the runbook in bash, with programs in the place of those that would need an account."""
    with tempfile.TemporaryDirectory() as folder:
        calls = Path(folder) / "calls"
        calls.touch()
        says = {"AWS_SAYS": aws_says, "PULUMI_SAYS": pulumi_says}
        ran = subprocess.run(
            ["bash", "-c", RECORDING + script],  # noqa: S607 - wherever it is
            cwd=folder,
            env={"PATH": os.environ["PATH"], "CALLS": str(calls), "BILL_E_STACK": "prod", **says},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not ran.stderr, ran.stderr
        recorded = calls.read_text().split(f"{END}\0")[:-1]
    found = [record.rstrip("\0").split("\0") for record in recorded]
    return Ran(out=ran.stdout, calls=[Call(program=one[0], arguments=tuple(one[1:])) for one in found])


@cache
def calls(program: str) -> list[Call]:
    """All calls of a program in the runbook: those in code blocks, in their order, and those within lines."""
    in_lines = re.findall(rf"`({program} [^`]+ --[^`]+|{program} \S+ [a-z-]+)`", TEXT)
    # The first block defines functions, which are put back.
    first, *others = blocks()
    script = "\n".join([first, PRINTING_NOTHING, *others, *in_lines])
    found = [call for call in run(script, aws_says="said").calls if call.program == program]
    assert found, f"no call of {program} found"
    return found
