"""The pages that people read: their links lead somewhere, and what they name exists."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from cli.main import build_parser

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "samples/*.md")
    for page in REPOSITORY.glob(pattern)
)
EVERYTHING = "\n".join((REPOSITORY / page).read_text() for page in PAGES)


def anchors(page: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    page = REPOSITORY / name
    for link in re.findall(r"\]\(((?!https?:)[^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [REPOSITORY / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page.relative_to(REPOSITORY).as_posix())
        links = re.findall(r"\]\(((?!https?:)[^)#]+\.md)", page.read_text())
        targets = {(page.parent / link).resolve() for link in links}
        waiting += [each for each in targets if each.relative_to(REPOSITORY).as_posix() not in reached]
    assert reached == set(PAGES)


def test_every_make_command_is_one_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):.* ## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", EVERYTHING, re.MULTILINE))
    assert {"demo", "install"} <= named <= targets


def test_every_bill_e_command_is_one_that_the_command_line_takes() -> None:
    lines = re.findall(r"^(?:\.venv/bin/)?bill-e (.+)$", EVERYTHING, re.MULTILINE)
    assert any(line.startswith("upload ") for line in lines)
    for line in lines:
        with contextlib.redirect_stderr(None):
            build_parser().parse_args(shlex.split(line, comments=True))


def test_every_measure_of_the_bench_exists() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", (REPOSITORY / "docs" / "costs.md").read_text(), re.MULTILINE)
    named = {*rows, *re.findall(r"--only ([a-z-]+)", EVERYTHING)}
    assert {"idle", "billed-time"} <= named
    measures = REPOSITORY / "bench" / "measures"
    assert [name for name in named if not (measures / f"{name.replace('-', '_')}.py").exists()] == []


def test_every_error_that_the_runbook_names_is_one_of_the_functions() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    named = set(re.findall(r"`(\w+Error)`", text))
    source = "\n".join(file.read_text() for file in (REPOSITORY / "functions").rglob("*.py"))
    assert {"OutOfTimeError"} <= named <= set(re.findall(r"^class (\w+Error)\(", source, re.MULTILINE))


def test_every_file_that_is_named_exists() -> None:
    paths = set(re.findall(r"`(\w+/[\w./-]+)`", EVERYTHING))
    named = {path for path in paths if (REPOSITORY / path.partition("/")[0]).is_dir()}
    assert "functions/processor/handler.py" in named
    assert [path for path in sorted(named) if not (REPOSITORY / path).exists()] == []


def test_ledger_in_the_readme_is_that_of_the_samples() -> None:
    lines = re.findall(r"^\d{4}-.+Z  .+$", (REPOSITORY / "README.md").read_text(), re.MULTILINE)
    rows = [re.split(r" {2,}", line) for line in lines]
    files = [file for folder in ("good", "bad") for file in (REPOSITORY / "samples" / folder).iterdir()]
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert {key: fingerprint for _, _, fingerprint, _, _, _, key, *_ in rows} == {
        name: digest[:12] for name, digest in digests.items()
    }
    counts = Counter(outcome.lower() for _, outcome, *_ in rows)
    outcomes = " + ".join(f"{counts[each]} {each}" for each in ("accepted", "duplicate", "rejected"))
    assert EVERYTHING.count(f"{len(files)} uploads = {outcomes}") == 2
