"""Which part of the project may import which, as docs/architecture.md says it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parent.parent
OURS = frozenset(path.parent.name for path in REPOSITORY.glob("*/__init__.py"))
CONTRACT = "functions.contract"
MAY_IMPORT = {
    "__main__.py": ["components"],
    "package": ["components"],
    # What the sealer and the verifiers of the log call its key.
    "components": ["components", CONTRACT, "functions.sealing.note"],
    "functions/contract": [CONTRACT],
    "functions/ledger": ["functions.ledger", "functions.log", CONTRACT],
    "functions/api": ["functions.api", "functions.log", CONTRACT],
    "functions/reconciliation": ["functions.reconciliation", CONTRACT],
    "functions/reconciler": [
        *("functions.reconciler", "functions.reconciliation", "functions.log", CONTRACT)
    ],
    "functions/sealer": ["functions.sealer", "functions.sealing", "functions.log", CONTRACT],
    "functions/sealing": ["functions.sealing", CONTRACT],
    "functions/processor": ["functions.processor", "functions.ledger", "functions.log", CONTRACT],
    "functions/reader": [
        *("functions.reader", "functions.ledger", "functions.sealing"),
        *("functions.api", "functions.log", CONTRACT),
    ],
    "functions/file_links": [
        *("functions.file_links", "functions.ledger", "functions.api", "functions.log", CONTRACT)
    ],
    "functions/upload_forms": [
        *("functions.upload_forms", "functions.ledger", "functions.api", "functions.log", CONTRACT)
    ],
    "cli": ["cli", "functions.ledger.store", "functions.reconciliation", "functions.sealing", CONTRACT],
    "cli/auditor": ["cli.auditor", "cli.answers", "cli.screen.entries", "functions.sealing", CONTRACT],
    # Everything that people do with a stack, but neither the other commands nor the terminal.
    "cli/console": [
        *("cli.console", "cli.caller", "cli.operator", "cli.aws", "cli.answers", "cli.errors", "cli.stack"),
        *("cli.screen.entries", "functions.sealing.note", CONTRACT),
    ],
    "cli/screen": ["cli.screen", "cli.answers", CONTRACT],
    "cli/caller": [
        *("cli.caller", "cli.aws", "cli.answers", "cli.errors", "cli.stack", "functions.sealing", CONTRACT)
    ],
    "cli/operator": [
        *("cli.operator", "cli.aws", "cli.errors", "cli.stack"),
        *("functions.ledger.store", "functions.reconciliation", "functions.sealing", CONTRACT),
    ],
    "local": ["local", "cli", "functions.sealing.note", CONTRACT],
    "generator": ["generator", "components", "functions"],
}


def imported_by(module: Path) -> Iterator[str]:
    """The modules of the project that a module imports, for its types as well."""
    for node in ast.walk(ast.parse(module.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name for name in names if name.partition(".")[0] in OURS)


@pytest.mark.parametrize(("folder", "allowed"), MAY_IMPORT.items(), ids=MAY_IMPORT)
def test_a_part_imports_only_what_it_may(folder: str, allowed: list[str]) -> None:
    place = REPOSITORY / folder
    modules = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    assert modules
    wrong = {
        f"{module.relative_to(REPOSITORY)}: {name}"
        for module in modules
        for name in imported_by(module)
        if not any(f"{name}.".startswith(f"{each}.") for each in allowed)
    }
    assert wrong == set()


def test_the_contract_needs_the_standard_library_alone() -> None:
    modules = [f"functions.contract.{path.stem}" for path in (REPOSITORY / "functions/contract").glob("*.py")]
    program = f"import sys, {', '.join(modules)}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert {*done.stdout.split()} - sys.stdlib_module_names <= {"functions", "__main__", "__mp_main__"}


def test_a_class_has_a_name_to_itself() -> None:
    """One word, one meaning: outside the tests, no two classes have the same name."""
    classes = Counter(
        node.name
        for folder in OURS - {"tests"}
        for module in (REPOSITORY / folder).rglob("*.py")
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in classes.items() if count > 1] == []
