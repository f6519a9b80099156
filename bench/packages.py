"""The functions as they are deployed: their archives and their layer, unpacked as Lambda does."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from components.layer_archive import build_layer, write_zip
from components.python_function import FUNCTIONS, source_files

REPOSITORY = FUNCTIONS.parent

FUNCTION_PACKAGES = {
    "processor": ("processor", "ledger"),
    "reader": ("reader", "api", "ledger"),
    "uploads": ("uploads", "api", "ledger"),
}
"""Each function's packages; one that lacked any could not be imported."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A folder that Lambda puts on the path, and the bytes of the archive that it came from."""

    folder: Path
    zipped_bytes: int


def unpack_function(name: str, target: Path) -> Package:
    """Lay out the archive of one of Bill-E's functions: sources only, as it is uploaded."""
    content = target / f"{name}-content"
    for file in source_files(FUNCTION_PACKAGES[name]):
        destination = content / file
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / file, destination)
    return _zipped(content, target / f"{name}.zip")


def unpack_baseline(name: str, target: Path) -> Package:
    """Lay out the archive of a baseline: its one module."""
    content = target / f"{name}-content"
    content.mkdir(parents=True)
    shutil.copyfile(Path(__file__).parent / "baselines" / f"{name}.py", content / f"{name}.py")
    return _zipped(content, target / f"{name}.zip")


def unpack_layer(target: Path) -> Package:
    """Lay out the processor's layer."""
    archive = build_layer(FUNCTIONS / "requirements.txt", REPOSITORY / ".build")
    folder = target / "layer"
    with zipfile.ZipFile(archive) as layer:
        layer.extractall(folder)
    return Package(folder=folder / "python", zipped_bytes=archive.stat().st_size)


def unpack_installed(name: str, target: Path) -> Package:
    """Lay out an installed distribution as a layer would have it: its sources only."""
    content = target / f"{name}-content"
    for file in metadata.files(name) or ():
        if file.suffix == ".py":
            destination = content / str(file)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), destination)
    return _zipped(content, target / f"{name}.zip")


def unpacked_bytes(package: Package) -> int:
    """Return how much a package holds once it is unpacked."""
    return sum(file.stat().st_size for file in package.folder.rglob("*") if file.is_file())


def _zipped(content: Path, archive: Path) -> Package:
    write_zip(content, archive)
    return Package(folder=content, zipped_bytes=archive.stat().st_size)
