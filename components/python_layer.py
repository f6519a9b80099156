"""PythonLayer: a Lambda layer with the libraries that the processor needs and the runtime lacks.

The same list of requirements gives an archive of the same bytes on every machine, so that Pulumi sees a
change only if the list has changed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import pulumi
import pulumi_aws as aws

from components.python_function import ARCHITECTURE, FUNCTIONS, RUNTIME
from components.stack_args import plain_name

BUILDER_VERSION = 2
"""Part of the cache key. Raise it if you change which bytes this module builds from the same list."""

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can have."""

ERROR_LINES = 8


class PythonLayer(pulumi.ComponentResource):
    """A Lambda layer with the libraries in ``functions/requirements.txt``. Output: `arn`, with the version.

    `instance` is that of the stack.
    """

    def __init__(
        self, name: str, instance: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:function:PythonLayer", name, None, opts)
        archive = build_layer(FUNCTIONS / "requirements.txt", FUNCTIONS.parent / ".build")
        layer = aws.lambda_.LayerVersion(
            f"{name}-layer",
            # Pulumi doesn't name layers. The versions of a layer have numbers, so they can share its name.
            layer_name=pulumi.Output.concat(instance, "-", name).apply(plain_name),
            description="Libraries of the processor, from functions/requirements.txt",
            code=pulumi.FileArchive(str(archive)),
            compatible_architectures=[ARCHITECTURE],
            compatible_runtimes=[RUNTIME],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = layer.arn
        self.register_outputs({"arn": self.arn})


class LayerBuildError(pulumi.RunError):
    """A layer could not be built. The message ends with the last lines that pip printed."""


def build_layer(requirements: Path, build_folder: Path) -> Path:
    """Return the layer of these requirements, built now or by an earlier run.

    `requirements` pins and hashes every package, dependencies too. The zip file is in `build_folder`, and its
    name has the hash of the list. Raises `LayerBuildError` if the list is missing or pip refuses it.
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
    """Zip a folder so that the same contents give the same bytes: sorted names, one time, one mode."""
    files = sorted(path.relative_to(content).as_posix() for path in content.rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w") as target:
        for name in filter(_belongs_in_layer, files):
            info = zipfile.ZipInfo(name, ZIP_EPOCH)
            info.create_system = 3  # Unix on any machine, so that the permissions below apply
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED  # the output of deflate differs between builds of zlib
            target.writestr(info, (content / name).read_bytes())


def _belongs_in_layer(name: str) -> bool:
    """Leave out what differs between machines: caches, scripts that contain a path, and pip's records."""
    path = PurePosixPath(name)
    if path.suffix == ".pyc" or path.parts[:2] == ("python", "bin"):
        return False
    in_metadata = path.parent.suffix == ".dist-info"
    return not (in_metadata and path.name in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})


def _install(requirements: Path, target: Path) -> None:
    """Install only pure-Python wheels, since the layer runs on a different platform."""
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
