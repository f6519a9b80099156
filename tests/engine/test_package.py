"""The package for other languages, in a program of another language: YAML."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apidocs.settings import TOKEN
from tests.engine.stacks import REPOSITORY, Engine

PACKAGE = REPOSITORY / "package"


def _program(folder: Path, **arguments: Any) -> Path:
    """A program in YAML, with the one component; JSON is YAML."""
    folder.mkdir(exist_ok=True)
    program = {
        "name": "accounting",
        "runtime": "yaml",
        "plugins": {"providers": [{"name": "bill-e", "path": str(PACKAGE)}]},
        "resources": {"receipts": {"type": TOKEN, "properties": arguments}},
        "outputs": {"bucket": "${receipts.uploadsBucket}", "api": "${receipts.apiUrl}", "all": "${receipts}"},
    }
    (folder / "Pulumi.yaml").write_text(json.dumps(program))
    return folder


@pytest.fixture
def engine(new_engine: Callable[..., Engine], yaml_host: Path, tmp_path: Path) -> Engine:
    assert yaml_host
    return new_engine(program=_program(tmp_path / "accounting"))


def test_schema_that_the_cli_reads_is_the_one_that_is_checked_in(engine: Engine) -> None:
    shown = engine.run("package", "get-schema", str(PACKAGE))

    assert shown.code == 0, shown.text
    assert (
        json.loads(shown.stdout)["resources"]
        == json.loads((PACKAGE / "schema.json").read_text())["resources"]
    )


def test_program_in_yaml_is_deployed_and_its_upload_ends_in_an_entry(engine: Engine, tmp_path: Path) -> None:
    _program(tmp_path / "accounting", protectData=False, batchWindowSeconds=0, maxReceiptMegabytes=1)
    stack = engine.stack("yaml")

    made = stack.up()

    assert made.code == 0, made.text
