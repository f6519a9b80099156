"""The package for other languages, used by a YAML program."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.bill_e import BillE
from local import REPOSITORY
from tests.engine.stacks import Engine, Stack
from tests.local.account import inventory
from tests.local.eventually import eventually
from tests.local.stack import png

PACKAGE = REPOSITORY / "package"


def _documented_program() -> dict[str, Any]:
    """The program in the guide, with the path of this checkout."""
    guide = (REPOSITORY / "docs" / "deploying.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    program: dict[str, Any] = yaml.safe_load(text)
    (plugin,) = program["plugins"]["providers"]
    assert plugin["path"].endswith("/package")
    plugin["path"] = str(PACKAGE)
    return program


def _write(folder: Path, **arguments: Any) -> Path:
    program = _documented_program()
    program["resources"]["receipts"]["properties"] |= {"protectData": False, **arguments}
    program["outputs"] |= {"region": "${receipts.region}", "groups": "${receipts.logGroups}"}
    folder.mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(program))
    return folder


@pytest.fixture(scope="module")
def stack(
    new_engine: Callable[..., Engine], yaml_host: Path, tmp_path_factory: pytest.TempPathFactory
) -> Stack:
    """The guide's program, deployed."""
    assert yaml_host
    folder = _write(tmp_path_factory.mktemp("yaml") / "accounting", batchWindowSeconds=0)
    made = new_engine(program=folder).stack("yaml")
    deployed = made.up()
    assert deployed.code == 0, deployed.text
    return made


def test_cli_accepts_the_schema_and_loses_nothing_of_it(stack: Stack) -> None:
    """The package serves the file that is checked in; the CLI binds it, and prints what it has understood."""
    shown = stack.engine.run("package", "get-schema", str(PACKAGE))

    assert shown.code == 0, shown.text
    read, kept = json.loads(shown.stdout), json.loads((PACKAGE / "schema.json").read_text())
    assert read == {**kept, "config": {}}


def test_outputs_of_the_component_are_those_of_a_stack(stack: Stack) -> None:
    (component,) = (each for each in stack.resources() if each["type"] == BillE.TYPE)
    first = {name.partition("_")[0] for name in BillE.OUTPUTS}

    assert len(component["outputs"]) == len(BillE.OUTPUTS)
    assert {re.match("[a-z]+", name)[0] for name in component["outputs"]} == first  # type: ignore[index]
    assert stack.outputs()["region"] == "us-east-1"


def test_upload_ends_in_an_entry(stack: Stack) -> None:
    aws, bucket = stack.engine.aws, stack.outputs()["bucket"]
    version = aws.client("s3").put_object(Bucket=bucket, Key="receipt.png", Body=png())["VersionId"]
    (table,) = (name for name in inventory(aws)["aws:dynamodb/table:Table"] if "ledger" in name)

    items: Any = eventually("an entry", lambda: aws.client("dynamodb").scan(TableName=table)["Items"])

    (entry,) = items
    assert entry["version_id"]["S"] == version
    assert entry["outcome"]["S"] == "ACCEPTED"


def test_second_up_changes_nothing(stack: Stack) -> None:
    again = stack.up("--expect-no-changes")

    assert again.code == 0, again.text


def test_arguments_that_are_refused_are_all_named_without_a_stack_trace(stack: Stack) -> None:
    kept = (stack.engine.program / "Pulumi.yaml").read_text()
    _write(stack.engine.program, batchWindowSeconds=0, batchSize=0, maxConcurrency=1)

    refused = stack.preview()

    (stack.engine.program / "Pulumi.yaml").write_text(kept)
    assert refused.code != 0
    assert "Traceback" not in refused.text
    assert 'File "' not in refused.text
    for argument in ("batchSize", "maxConcurrency"):
        assert re.search(rf"{argument}.*allowed: a whole number from", refused.text), refused.text


def test_fewer_shards_are_refused_here_as_well(stack: Stack) -> None:
    kept = (stack.engine.program / "Pulumi.yaml").read_text()
    _write(stack.engine.program, batchWindowSeconds=0, ledgerShards=2)

    refused = stack.preview()

    (stack.engine.program / "Pulumi.yaml").write_text(kept)
    assert refused.code != 0
    assert "ledgerShards is 2; allowed: 4 or more" in refused.text


def test_stack_is_destroyed_and_leaves_an_empty_account(stack: Stack) -> None:
    gone = stack.destroy()

    assert gone.code == 0, gone.text
    assert not any(inventory(stack.engine.aws).values())
