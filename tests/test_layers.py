"""Which part of the project may import which, as docs/architecture.md says it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parent.parent
OURS = frozenset(path.parent.name for path in REPOSITORY.glob("*/__init__.py"))
MAY_IMPORT = {
    "functions/contract": ["functions.contract"],
    "functions": ["functions"],
    "components": ["components", "functions.contract"],
    "package": ["components"],
    "cli": ["cli", "functions"],
    "apidocs": ["apidocs", "components", "functions"],
    "local": ["local", "components", "functions", "cli"],
}
SDKS = ("boto3", "botocore", "pulumi", "pulumi_aws")


def imported_by(module: Path) -> Iterator[str]:
    """The modules of the project that a module imports, for its types as well."""
    for node in ast.walk(ast.parse(module.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name for name in names if name.partition(".")[0] in OURS)


@pytest.mark.parametrize(("folder", "allowed"), MAY_IMPORT.items(), ids=MAY_IMPORT)
def test_a_part_imports_only_what_it_may(folder: str, allowed: list[str]) -> None:
    modules = sorted((REPOSITORY / folder).rglob("*.py"))
    assert modules
    wrong = {
        f"{module.relative_to(REPOSITORY)}: {name}"
        for module in modules
        for name in imported_by(module)
        if not any(f"{name}.".startswith(f"{each}.") for each in allowed)
    }
    assert wrong == set()


def test_the_contract_needs_no_sdk() -> None:
    modules = [f"functions.contract.{path.stem}" for path in (REPOSITORY / "functions/contract").glob("*.py")]
    program = f"import sys, {', '.join(modules)}; print([name for name in {SDKS} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
