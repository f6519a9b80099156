"""A checkout has the same bytes on every machine, because the functions' hashes depend on them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from components.python_function import FUNCTIONS, source_files
from tests.components.mocks import REPOSITORY

GIT = shutil.which("git")
PACKAGES = sorted(path.parent.name for path in FUNCTIONS.glob("*/__init__.py"))
SHIPPED = [*source_files(PACKAGES), "functions/requirements.txt"]
SAMPLES = [
    path.relative_to(REPOSITORY).as_posix()
    for path in (REPOSITORY / "samples").glob("*/*")
    if path.parent.name in {"good", "bad"}
]


def test_what_is_shipped_ends_its_lines_in_lf() -> None:
    assert len(SHIPPED) > 20
    assert [name for name in SHIPPED if b"\r" in (REPOSITORY / name).read_bytes()] == []


@pytest.mark.skipif(not GIT, reason="git isn't installed")
def test_a_checkout_that_asks_for_crlf_gets_the_same_bytes(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        windows = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf", "-c", "core.safecrlf=false")
        subprocess.run([str(GIT), *windows, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert len(SAMPLES) == 13
    names = [*SHIPPED, *SAMPLES, "__main__.py", "Pulumi.yaml"]
    contents = {name: (REPOSITORY / name).read_bytes() for name in names}
    contents["samples/bad/further.pdf"] = b"text, as far as git can tell\r\n"
    shutil.copy(REPOSITORY / ".gitattributes", tmp_path)
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    git("init", "--quiet")
    git("add", ".")
    for name in contents:
        (tmp_path / name).unlink()
    git("checkout-index", "--all")

    assert [name for name in contents if (tmp_path / name).read_bytes() != contents[name]] == []
