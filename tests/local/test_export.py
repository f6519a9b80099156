"""The commands of docs/for-auditors.md, run with an auditor's rights on a stack whose ledger is changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.auditor.findings import Code
from functions.contract import schema
from local import REPOSITORY
from tests.local.stack import DeployedStack, deployed_stack
from tests.local.test_sealer import seal

PAGE = (REPOSITORY / "docs" / "for-auditors.md").read_text()
SAMPLES = sorted((REPOSITORY / "samples").glob("*/*.*"))

PERIOD = {"2026-11-01": "2026-01-01", "2026-12-01": "2100-01-01"}
"""The page has November 2026, the tests are run later."""

STAND_INS = f"""
bill-e() {{ {sys.executable} -m cli.main "$@"; }}
pulumi() {{ echo "$LOG_PUBLIC_KEY"; }}
aws() {{ cat "$LISTING"; }}
"""

Ran = subprocess.CompletedProcess[str]
Run = Callable[[str], Ran]


def block_with(text: str) -> str:
    """The one block of commands that has this text in it. Blocks with a language have output in them."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (block for language, block in blocks if not language and text in block)
    return str(found)


@pytest.fixture(scope="module")
def sealed() -> Iterator[DeployedStack]:
    """A stack with the samples in it, which are sealed."""
    with deployed_stack() as stack:
        stack.entries_of(*(stack.upload(file.name, file.read_bytes()) for file in SAMPLES))
        seal(stack)
        yield stack


@pytest.fixture
def run(sealed: DeployedStack, tmp_path: Path) -> Run:
    """Run commands in bash, with all of them in the same folder, as an auditor."""
    outputs, listing = tmp_path / "outputs.json", tmp_path / "listing.json"
    description = sealed.description()
    outputs.write_text(
        json.dumps(
            {
                name: value
                for name, value in description.items()
                if not name.startswith(("operator", "administrator"))
            }
        )
    )
    versions = sealed.administrator.client("s3").list_object_versions(Bucket=sealed.bucket)["Versions"]
    listing.write_text(json.dumps({"Versions": versions}, default=str))
    (tmp_path / "coffee shop.png").write_bytes((REPOSITORY / "samples/good/coffee shop.png").read_bytes())
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "BILL_E_OUTPUTS": str(outputs),
        "LISTING": str(listing),
        "LOG_PUBLIC_KEY": sealed.outputs["log_public_key"],
    }

    def run(commands: str) -> Ran:
        script = STAND_INS + re.sub(r"(?m)^(bill-e .*) --stack prod$", r"\1", commands)
        for written, tested in PERIOD.items():
            script = script.replace(written, tested)
        return subprocess.run(
            ["bash", "-c", script],  # noqa: S607 - wherever it is
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def exported(run: Run) -> Run:
    """What runs commands, after the first ones of the page were run."""
    for command in ("> pinned.vkey", "> versions.json", "export audit-november"):
        ran = run(block_with(command))
        assert ran.returncode == 0, ran.stderr
    return run


def change_an_entry(stack: DeployedStack) -> None:
    dynamodb, table = stack.administrator.client("dynamodb"), stack.outputs["ledger_table"]
    items = dynamodb.scan(TableName=table)["Items"]
    receipt = next(item for item in items if item["key"]["S"] == "grocery photo.jpg")
    dynamodb.update_item(
        TableName=table,
        Key={name: receipt[name] for name in (schema.FINGERPRINT, schema.ENTRY)},
        UpdateExpression="SET size_bytes = :size",
        ExpressionAttributeValues={":size": {"N": "1"}},
    )


def test_sums_are_right(exported: Run) -> None:
    summed = exported(block_with("sha256sum"))
    assert (summed.returncode, summed.stdout, summed.stderr) == (0, "", "")


@pytest.mark.claim(
    "an entry that an administrator changes after it was sealed is found in the next export, offline",
    section="Only what is true enters the ledger",
)
def test_export_verifies_until_somebody_changes_an_entry(sealed: DeployedStack, exported: Run) -> None:
    verified = exported(block_with("verify audit-november"))
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "entries.jsonl: 13\n" in verified.stdout
    assert "every upload" not in verified.stdout
    assert exported(block_with("cp ")).returncode == 0

    proved = exported(block_with("bill-e proof"))
    assert (proved.returncode, proved.stderr) == (0, "")
    first, second = proved.stdout.splitlines()
    assert first.partition(":")[2] == second.partition(":")[2]

    change_an_entry(sealed)

    changed = exported(block_with("export audit-december"))
    assert changed.returncode == 1
    found = re.findall(r"^(\w+): (entries\.\w+), key '([^']+)'", changed.stdout, re.MULTILINE)
    assert found == [("altered", f"entries.{form}", "grocery photo.jpg") for form in ("jsonl", "csv")]


def test_page_has_every_code_once() -> None:
    assert sorted(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == sorted(Code)
