"""The functions as they are deployed: their archives and their layer, unpacked as Lambda does it.

Every function here returns the folder that Lambda puts on the path.
"""

from __future__ import annotations

import shutil
import zipfile
from importlib import metadata
from pathlib import Path

from components.layer_archive import build_layer
from components.python_function import FUNCTIONS, source_files

REPOSITORY = FUNCTIONS.parent

FUNCTION_PACKAGES = {
    "processor": ("processor", "ledger"),
    "reader": ("reader", "api", "ledger"),
    "uploads": ("uploads", "api", "ledger"),
}
"""Each function's packages; one that lacked any could not be imported."""


def unpack_function(name: str, target: Path) -> Path:
    """Lay out the archive of one of Bill-E's functions: sources only, as it is uploaded."""
    content = target / f"{name}-content"
    for file in source_files(FUNCTION_PACKAGES[name]):
        destination = content / file
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / file, destination)
    return content


def unpack_baseline(name: str, target: Path) -> Path:
    """Lay out the archive of a baseline: its one module."""
    content = target / f"{name}-content"
    content.mkdir(parents=True)
    shutil.copyfile(Path(__file__).parent / "baselines" / f"{name}.py", content / f"{name}.py")
    return content


def unpack_layer(target: Path) -> Path:
    """Lay out the processor's layer."""
    archive = build_layer(FUNCTIONS / "requirements.txt", REPOSITORY / ".build")
    folder = target / "layer"
    with zipfile.ZipFile(archive) as layer:
        layer.extractall(folder)
    return folder / "python"


def unpack_installed(name: str, target: Path) -> Path:
    """Lay out an installed distribution as a layer would have it: its sources only."""
    content = target / f"{name}-content"
    for file in metadata.files(name) or ():
        if file.suffix == ".py":
            destination = content / str(file)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), destination)
    return content


def unpacked_bytes(package: Path) -> int:
    """Return how much a package holds."""
    return sum(file.stat().st_size for file in package.rglob("*") if file.is_file())
