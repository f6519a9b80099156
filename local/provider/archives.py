"""Pulumi archives as zip files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi

from local import LocalError


def zip_bytes(archive: Any) -> bytes:
    """Pack an archive. The same content gives the same bytes, whatever its files' dates and owners are.

    Raises:
        LocalError: a file is missing, or the archive or an asset in it isn't on this machine.

    """
    if isinstance(archive, pulumi.FileArchive) and Path(archive.path).is_file():
        return Path(archive.path).read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in sorted(_files(archive, "")):
            entry = zipfile.ZipInfo(name)  # dated 1980-01-01, the earliest that a zip can hold
            entry.create_system = 3  # Unix, so that the permissions below are read
            entry.external_attr = 0o644 << 16
            target.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _files(item: Any, name: str) -> Iterator[tuple[str, bytes]]:
    match item:
        case pulumi.AssetArchive():
            for inner, asset in item.assets.items():
                yield from _files(asset, f"{name}/{inner}" if name else inner)
        case pulumi.FileArchive():
            yield from _directory(Path(item.path), name)
        case pulumi.FileAsset():
            yield name, _content(Path(item.path))
        case pulumi.StringAsset():
            yield name, item.text.encode()
        case _:
            raise LocalError(
                f"cannot pack {type(item).__name__} {name!r}: code has to be files, folders or strings"
            )


def _directory(root: Path, name: str) -> Iterator[tuple[str, bytes]]:
    if not root.is_dir():
        raise LocalError(f"no such file or folder to pack: {root}")
    for path in root.rglob("*"):
        if path.is_file():
            inner = path.relative_to(root).as_posix()
            yield (f"{name}/{inner}" if name else inner), _content(path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}") from error
