"""Every command for deploying in the README and in docs/deploying.md, typed in with the real CLI."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from local import REPOSITORY
from local.engine import tools
from tests.engine.stacks import Engine
from tests.local.account import inventory
from tests.local.eventually import eventually

ACCOUNT, EMBEDDED_ACCOUNT = "111122223333", "000000000000"

TIMEOUT_SECONDS = 300

BASH, GIT = shutil.which("bash") or "bash", shutil.which("git") or "git"


def _blocks(page: str) -> dict[str, list[str]]:
    """The commands of each section that has some."""
    found = {}
    for section in (REPOSITORY / page).read_text().split("\n## ")[1:]:
        blocks = re.findall(r"^```(\w*)\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
        lines = [line for language, block in blocks if not language for line in block.splitlines()]
        if lines:
            found[section.partition("\n")[0]] = [re.sub(r"\s+#.*", "", line) for line in lines]
    return found


FIRST = _blocks("README.md")["Deploy it"]
BLOCKS = _blocks("docs/deploying.md")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as somebody has it who has just cloned it."""
    target = tmp_path_factory.mktemp("clone") / "bill-e"
    listed = subprocess.run(
        [GIT, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        source = REPOSITORY / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    # The layer's archive is built once for all; `make install` would write into a .venv that is linked.
    (target / ".build").symlink_to(REPOSITORY / ".build")
    return target


def _type_in(line: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Type a command into a shell; whatever asks for confirmation gets it."""
    return subprocess.run(
        [BASH, "-c", line],
        cwd=folder,
        env={**environment, "PULUMI_SKIP_CONFIRMATIONS": "true"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_SECONDS,
    )


def test_page_is_all_typed_in() -> None:
    assert list(BLOCKS) == ["Production", "Settings", "Deletion", "Without an account"]


def test_stacks_dev_and_prod_are_deployed_changed_and_destroyed(
    checkout: Path, new_engine: Callable[..., Engine]
) -> None:
    engine = new_engine(program=checkout)
    environment = engine.variables()
    *first, destroy = FIRST
    lines = [*first, *BLOCKS["Settings"], *BLOCKS["Production"], *BLOCKS["Deletion"], destroy]
    first_of_prod = lines.index("pulumi up --stack prod")
    for index, line in enumerate(lines):
        if index == first_of_prod:
            refused = _type_in(line, checkout, environment)
            assert refused.returncode != 0
            assert f"AWS account {EMBEDDED_ACCOUNT} is not allowed" in refused.stdout + refused.stderr
            (name_the_account,) = (each for each in BLOCKS["Production"] if ACCOUNT in each)
            _type_in(name_the_account.replace(ACCOUNT, EMBEDDED_ACCOUNT), checkout, environment)
        done = _type_in(line, checkout, environment)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    assert not any(inventory(engine.aws).values())


def test_second_stack_is_deployed_beside_the_embedded_one(checkout: Path, pulumi: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))
    }
    environment["PATH"] = f"{pulumi.parent}{os.pathsep}{environment['PATH']}"
    settings = (checkout / "Pulumi.local.yaml").read_text()
    described = checkout / ".local" / "outputs.json"
    up = subprocess.Popen(
        [str(checkout / ".venv" / "bin" / "python"), "-m", "local", "up", f"--outputs={described}"],
        cwd=checkout,
        stdout=subprocess.DEVNULL,
    )
    try:
        eventually("an embedded AWS", described.exists)
        for line in BLOCKS["Without an account"]:
            done = _type_in(line, checkout, environment)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        state = Path(json.loads(described.read_text())["state_folder"])
        assert state.is_dir()
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)
    assert not state.exists()
    assert (checkout / "Pulumi.local.yaml").read_text() == settings
    assert tools.find_pulumi()
