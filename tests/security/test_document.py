from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.document import (
    DIFFERENCES,
    DOCUMENT,
    REPOSITORY,
    Claim,
    UnreadableClaimError,
    read_claims,
    render,
)


def write_test(folder: Path, marker: str, name: str = "test_it_is_so") -> Path:
    tests = folder / "tests"
    tests.mkdir(exist_ok=True)
    with (tests / "test_some.py").open("a") as file:
        file.write(f"@pytest.mark.{marker}\ndef {name}() -> None: ...\n")
    return tests


def test_document_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(read_claims()), (
        "docs/security.md is not what the tests say: run python -m tests.security.document"
    )


def test_every_link_leads_to_a_file_that_has_the_test() -> None:
    claims = read_claims()
    assert claims
    for claim in claims:
        assert f"def {claim.test}(" in (REPOSITORY / claim.path).read_text(encoding="utf-8")


def test_every_difference_of_the_emulator_has_its_check_and_its_rule() -> None:
    named = {test for each in DIFFERENCES for test in (each.check, each.rule)}
    assert named - {claim.test for claim in read_claims()} == set()


def test_claims_are_read_with_their_tests(tmp_path: Path) -> None:
    tests = write_test(tmp_path, 'claim("it is " "so", section="Hostile input")')
    assert read_claims(tests) == [
        Claim(text="it is so", section="Hostile input", test="test_it_is_so", path="tests/test_some.py")
    ]


def test_tests_with_the_same_claim_share_a_row(tmp_path: Path) -> None:
    marker = 'claim("it is so", section="Supply chain")'
    write_test(tmp_path, marker, "test_one")
    written = render(read_claims(write_test(tmp_path, marker, "test_two")))
    (row,) = (line for line in written.splitlines() if line.startswith("| it is so |"))
    assert "[`test_one`](../tests/test_some.py)<br>[`test_two`](../tests/test_some.py)" in row


def test_sections_without_a_claim_are_left_out(tmp_path: Path) -> None:
    written = render(read_claims(write_test(tmp_path, 'claim("it is so", section="Supply chain")')))
    assert [line for line in written.splitlines() if line.startswith("## ")] == [
        "## Supply chain",
        "## Residual risks",
    ]


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('claim("it is so", section="Magic")', "section is 'Magic'; allowed: 'Controls', "),
        ('claim("it is so")', "section"),
        ('claim(f"it is {so}", section="Hostile input")', "one plain text"),
        ('claim("it is so", section="Hostile input", colour="red")', "colour"),
        ('claim("it is so", section="Controls")', "control and requires"),
        ('claim("it is so", section="Hostile input", control="S3.5")', "control and requires"),
    ],
)
def test_claim_that_cannot_be_written_down_is_refused_naming_the_test(
    tmp_path: Path, marker: str, said: str
) -> None:
    tests = write_test(tmp_path, marker)
    with pytest.raises(
        UnreadableClaimError, match=rf"tests/test_some\.py:1: claim of test_it_is_so: .*{said}"
    ):
        read_claims(tests)
