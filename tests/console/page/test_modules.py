"""The page's modules that need no browser, run by Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.console.page.vectors import vectors

MODULES = Path(__file__).parent / "modules"
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file = tmp_path_factory.mktemp("vectors") / "vectors.json"
    file.write_text(json.dumps(vectors()), encoding="utf-8")
    return {**os.environ, "BILL_E_VECTORS": str(file)}


@pytest.mark.skipif(NODE is None, reason="Node isn't installed")
@pytest.mark.parametrize("module", sorted(path.name for path in MODULES.glob("*.test.mjs")))
def test_does_what_python_does(module: str, environment: dict[str, str]) -> None:
    command = [str(NODE), "--test", "--test-reporter=spec", str(MODULES / module)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
