from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.python_function import RUNTIME, PythonFunctionArgs, source_files
from components.validation import InvalidInputError
from tests.components.mocks import Graph
from tests.components.programs import stack_args

SHARED_MODULES = {"__init__.py", "log.py"}


def archive_of(graph: Graph, name: str) -> dict[str, Any]:
    archive: dict[str, Any] = graph.named(name).inputs["code"].assets
    return archive


def test_functions_and_their_layer_are_for_the_same_python(dev: Graph) -> None:
    functions = dev.of_type("aws:lambda/function:Function")
    assert {function.inputs["runtime"] for function in functions} == {RUNTIME}
    assert dev.only("aws:lambda/layerVersion:LayerVersion").inputs["compatibleRuntimes"] == [RUNTIME]


@pytest.mark.parametrize(
    ("function", "packages"),
    [
        ("bill-e-ingest-processor-function", {"processor", "contract", "ledger"}),
        ("bill-e-api-reader-function", {"reader", "api", "contract", "ledger", "sealing"}),
        ("bill-e-api-uploads-function", {"upload_forms", "api", "contract", "ledger"}),
        ("bill-e-api-files-function", {"file_links", "api", "contract", "ledger"}),
        ("bill-e-reconciler-slices-function", {"reconciler", "reconciliation", "contract"}),
        ("bill-e-log-sealer-function", {"sealer", "sealing", "contract"}),
    ],
)
def test_archive_holds_the_modules_of_its_packages_and_nothing_else(
    function: str, packages: set[str], dev: Graph
) -> None:
    names = set(archive_of(dev, function))
    assert {name.split("/")[1] for name in names} == {*SHARED_MODULES, *packages}
    assert all(name.startswith("functions/") and name.endswith(".py") for name in names)
    handler = dev.named(function).inputs["handler"]
    assert handler.removesuffix(".handle").replace(".", "/") + ".py" in names


def test_files_that_are_no_modules_are_left_out(tmp_path: Path) -> None:
    package = tmp_path / "functions" / "reader"
    modules = ("handler.py", "__init__.py", "deep/part.py")
    others = ("x.pyc", ".env", "a.txt", "a copy.py", ".hidden/part.py", "test_part.py", "tests/part.py")
    for path in (*modules, *others, "__pycache__/handler.py"):
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).touch()
    (tmp_path / "functions" / "__init__.py").touch()
    (tmp_path / "functions" / "requirements.txt").touch()
    assert source_files(["reader"], root=tmp_path / "functions") == [
        "functions/__init__.py",
        "functions/reader/__init__.py",
        "functions/reader/deep/part.py",
        "functions/reader/handler.py",
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"package": "nowhere"}, "package"),
        ({"shared": ["nowhere"]}, "shared"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"memory_megabytes": 64}, "memory_megabytes"),
    ],
)
def test_bad_argument_is_refused(changes: dict[str, Any], field: str) -> None:
    args: dict[str, Any] = {
        "package": "reader",
        "shared": [],
        "description": "A test",
        "statements": [],
        "environment": {},
        "stack": stack_args(),
        "timeout_seconds": 10,
        "memory_megabytes": 128,
    }
    with pytest.raises(InvalidInputError, match=rf"PythonFunctionArgs:\n  - {field} is .*; allowed: "):
        PythonFunctionArgs(**(args | changes))


@pytest.mark.parametrize(
    "keys", [["alias/aws/s3"], ["arn:aws:kms:eu-central-1:123456789012:key/1"] * 2, ["arn:aws:s3:::bucket"]]
)
def test_what_is_no_former_key_is_refused(keys: list[str]) -> None:
    with pytest.raises(InvalidInputError, match=r"StackArgs:\n  - former_key_arns is .*; allowed: "):
        stack_args(former_key_arns=keys)


def test_log_retention_that_cloudwatch_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="log_retention_days is 2; allowed: 1, 3, 5, 7"):
        stack_args(log_retention_days=2)
