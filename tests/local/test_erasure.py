"""The commands of docs/retention-and-erasure.md, run as they are on a stack with Object Lock."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import REPOSITORY
from tests.local.stack import DeployedStack, deployed_stack, png
from tests.local.test_sealer import seal

pytestmark = pytest.mark.skipif(
    not (shutil.which("aws") and shutil.which("jq")), reason="the AWS CLI or jq isn't installed"
)

PAGE = (REPOSITORY / "docs" / "retention-and-erasure.md").read_text()

Run = Callable[[str], "subprocess.CompletedProcess[str]"]


def commands() -> list[str]:
    """The blocks of commands on the page. Those with a language have output in them."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [block for language, block in blocks if not language]


@pytest.fixture(scope="module")
def locked() -> Iterator[DeployedStack]:
    with deployed_stack({"bill-e:objectLockDays": 30}) as stack:
        yield stack


@pytest.fixture
def run(locked: DeployedStack, tmp_path: Path) -> Run:
    """Run commands in bash as an administrator, with all of them in the same folder."""
    description, aws = locked.description(), locked.administrator
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps(description))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "BILL_E_OUTPUTS": str(outputs),
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_CA_BUNDLE": str(aws.ca_bundle),
        "AWS_DEFAULT_REGION": aws.region,
        "AWS_ACCESS_KEY_ID": aws.key.id,
        "AWS_SECRET_ACCESS_KEY": aws.key.secret,
        "AWS_PAGER": "",
    }
    out = 'out() { jq -r ".outputs.$1" "$BILL_E_OUTPUTS"; }\n'

    def run(commands: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", out + commands.replace(" --stack $BILL_E_STACK", "")],  # noqa: S607 - wherever it is
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def without_log(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines that reconcile wrote, but for what it says of the log, which grows."""
    return [line for line in ran.stdout.splitlines() if not line.startswith("log: ")]


def versions_left(stack: DeployedStack) -> set[str]:
    listed = stack.administrator.client("s3").list_object_versions(Bucket=stack.bucket)
    return {version["VersionId"] for version in listed.get("Versions", ())}


def test_one_person_s_data_goes_as_the_page_says_and_nobody_else_s(locked: DeployedStack, run: Run) -> None:
    content = png()
    first = locked.upload("erika taxi \\1.png", content)
    locked.entry_of(first)
    second, of_somebody_else = locked.upload("erika/hotel.png", png()), locked.upload("max.png", content)
    before = locked.entries_of(first, second, of_somebody_else)
    theirs = {first.version_id, second.version_id}

    find, show, delete, look, unlock, reconcile, record, redact = commands()

    found = run(find).stdout.splitlines()
    assert sorted(line.split("\t")[2] for line in found) == ["erika taxi \\\\1.png", "erika/hotel.png"]

    assert "max.png" in run(show).stdout

    assert run(delete).stderr.count("AccessDenied") == 2
    assert theirs < versions_left(locked)

    assert [line.split("\t")[0] for line in run(look).stdout.splitlines()] == ["GOVERNANCE"] * 2
    assert set(run(unlock).stdout.split()) == theirs
    assert versions_left(locked) == {of_somebody_else.version_id}

    reconciled = run(reconcile)
    assert reconciled.returncode == 1
    totals = "object versions: 1 = 1 recorded + 0 missing + 0 in flight; 2 unknown; 1 unbacked"
    assert totals in reconciled.stdout

    seal(locked)
    recorded = run(record)
    assert recorded.returncode == 0, recorded.stderr
    shown = run(redact.replace("FINGERPRINT", second.fingerprint)).stdout
    assert re.search(r"^uploader +-$", shown, re.MULTILINE)
    nobody: dict[str, Any] = {"principal": None, "source_ip": None, "caller": None}
    redacted = [{**each, "uploader": {**each["uploader"], **nobody}} for each in before[:2]]
    assert locked.entries_of(first, second, of_somebody_else) == [*redacted, before[2]]
    seal(locked)
    verified = run(f"bill-e export package && bill-e verify package --key {locked.outputs['log_public_key']}")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.count("note: erased: object ") == 2
    assert without_log(run(reconcile)) == without_log(reconciled)
