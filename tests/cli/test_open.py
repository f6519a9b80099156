from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.fake_stack import FakeStack

BODY = b"first"
FINGERPRINT = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the path that the system's program was given, which is written by a program of its name."""
    programs, told = tmp_path / "programs", tmp_path / "opened"
    programs.mkdir()
    for name in ("xdg-open", "open"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nprintf %s "$1" > "{told}"\n')
        program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    return told


def change(stack: FakeStack, **members: Any) -> None:
    stack.entries[0] |= members


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs here are shell scripts")


@pytest.fixture(autouse=True)
def _receipt(stack: FakeStack) -> None:
    stack.store("2026/lunch.exe", BODY)


def test_file_is_opened_from_a_private_folder_by_the_type_in_the_ledger(caller: Run, opened: Path) -> None:
    ran = caller("open", FINGERPRINT)

    assert (ran.code, ran.err) == (0, "")
    path = Path(opened.read_text())
    assert ran.out == f"opening {path}\n"
    assert path.name == "lunch.png"
    assert path.read_bytes() == BODY
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["lunch.png"]


@pytest.mark.parametrize(
    "media_type",
    ["application/xml", "message/rfc822", "application/pkcs7-mime", "text/html", "image/svg+xml", None],
)
@pytest.mark.claim(
    "`bill-e open` opens pictures and PDF files alone, by the type that the processor recognised, whatever "
    "the key ends in",
    section="Hostile input",
)
def test_what_could_run_is_not_opened(
    caller: Run, stack: FakeStack, opened: Path, tmp_path: Path, media_type: str | None
) -> None:
    change(stack, media_type=media_type)

    assert "save it with `bill-e get`" in caller("open", FINGERPRINT).refusal()
    assert not opened.exists()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("members", "warning"),
    [
        ({"findings": ["active_content"]}, "it contains scripts"),
        ({"findings": ["encrypted"]}, "it is encrypted"),
        ({"outcome": "REJECTED", "reason": "damaged", "detail": "ends early"}, "it was rejected: damaged"),
    ],
)
def test_finding_is_a_warning(
    caller: Run, stack: FakeStack, opened: Path, members: dict[str, Any], warning: str
) -> None:
    change(stack, **members)
    ran = caller("open", FINGERPRINT, "--version", "v1")

    assert ran.code == 0
    assert f"warning: 2026/lunch.exe: {warning}" in ran.err
    assert opened.exists()


def test_changed_file_is_not_opened_or_kept(
    caller: Run, stack: FakeStack, opened: Path, tmp_path: Path
) -> None:
    stack.objects["2026/lunch.exe", "v1"] = b"other"

    assert "is NOT what the ledger recorded" in caller("open", FINGERPRINT).refusal()
    assert not opened.exists()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("program", ["absent", "failing"])
def test_machine_without_a_program_for_it_is_told_where_the_file_is(
    caller: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    if program == "absent":
        monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    else:
        for name in ("xdg-open", "open"):
            (tmp_path / "programs" / name).write_text("#!/bin/sh\nexit 3\n")

    ran = caller("open", FINGERPRINT)

    assert ran.code == 1
    (path,) = (tmp_path / "scratch").glob("*/lunch.png")
    assert f"the file is {path}" in ran.err
    assert path.read_bytes() == BODY
