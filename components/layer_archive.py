"""Building a Lambda layer's archive: a list of hashed requirements in, the path of a zip file out.

The same list gives the same bytes on every machine, so that Pulumi sees a change only where there is one.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import pulumi

BUILDER_VERSION = 2
"""Part of the cache key: raise it when what follows would build other bytes from the same list."""

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""

ERROR_LINES = 8


class LayerBuildError(pulumi.RunError):
    """A layer could not be built; the message ends in the last lines of what pip said."""


def build_layer(requirements: Path, build_folder: Path) -> Path:
    """Return the layer of these requirements, built now or by an earlier run.

    `requirements` pins and hashes every package, dependencies too. The zip file lands in `build_folder`,
    named by the hash of the list. Raises `LayerBuildError` when the list is missing or pip refuses it.
    """
    try:
        listed = requirements.read_bytes()
    except OSError as error:
        raise LayerBuildError(
            f"cannot read the layer's requirements {requirements}: {error.strerror}"
        ) from error

    key = hashlib.sha256(f"{BUILDER_VERSION}\0".encode() + listed).hexdigest()
    archive = build_folder / f"layer-{key[:16]}.zip"
    if archive.is_file():
        return archive

    build_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_folder, prefix="layer-") as scratch:
        content, draft = Path(scratch, "content"), Path(scratch, "layer.zip")
        _install(requirements, content / "python")
        write_zip(content, draft)
        draft.replace(archive)
    return archive


def write_zip(content: Path, archive: Path) -> None:
    """Zip a folder so that equal contents give equal bytes: sorted names, one time, one mode."""
    files = sorted(path.relative_to(content).as_posix() for path in content.rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w") as target:
        for name in filter(_belongs_in_layer, files):
            info = zipfile.ZipInfo(name, ZIP_EPOCH)
            info.create_system = 3  # Unix, whatever this machine is, so that the permissions below are read
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED  # what deflate writes differs between builds of zlib
            target.writestr(info, (content / name).read_bytes())


def _belongs_in_layer(name: str) -> bool:
    """Leave out what differs between machines: caches, scripts with a path in them, and pip's own notes."""
    path = PurePosixPath(name)
    if path.suffix == ".pyc" or path.parts[:2] == ("python", "bin"):
        return False
    in_metadata = path.parent.suffix == ".dist-info"
    return not (in_metadata and path.name in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})


def _install(requirements: Path, target: Path) -> None:
    """Install pure-Python wheels only: the layer runs on another platform than the one that builds it."""
    command = [
        *(sys.executable, "-m", "pip", "install"),
        *("--requirement", str(requirements), "--target", str(target)),
        *("--require-hashes", "--no-deps", "--only-binary=:all:"),
        *("--platform", "any", "--implementation", "py", "--abi", "none"),
        *("--no-compile", "--no-input", "--disable-pip-version-check", "--quiet"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        said = "\n".join((result.stderr or result.stdout).strip().splitlines()[-ERROR_LINES:])
        raise LayerBuildError(f"pip could not install the layer's requirements {requirements}:\n{said}")
