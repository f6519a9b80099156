"""Files on this machine: finding those that a command line names, and their fingerprints."""

from __future__ import annotations

import glob
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from cli.errors import BillEError

CHUNK_BYTES = 1024 * 1024

LEFTOVERS = {
    "left behind by Windows": ("thumbs.db", "ehthumbs.db", "desktop.ini"),
    "left behind by macOS": ("._*", "__macosx", "icon\r"),
    "left behind by a Synology NAS": ("@eadir",),
    "the lock of a document that is open in Office": ("~$*",),
    "an unfinished download": ("*.crdownload", "*.part", "*.filepart"),
    "a temporary file": ("*.tmp",),
}
"""Names, in lower case, of files and folders that nobody means to upload, by what they are."""

ICLOUD_PLACEHOLDER = re.compile(r"\.(.+)\.icloud", re.DOTALL)
"""The name of a file that macOS has moved to iCloud, with the file's own name in it."""


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """A file to upload. `name` is its path within the folder that was given, with `/`: the end of its key."""

    path: Path
    name: str


@dataclass(frozen=True, kw_only=True)
class NotTaken:
    """A path that is not uploaded, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """The `files` to upload, and the paths that are `skipped` by rule or `unreadable`."""

    files: tuple[LocalFile, ...]
    skipped: tuple[NotTaken, ...]
    unreadable: tuple[NotTaken, ...]

    def size_bytes(self) -> int:
        """Add up the files' sizes."""
        return sum(map(size_of, self.files))


def find_files(paths: Sequence[Path]) -> Found:
    """Find the files that `paths` name, in that order, and all files in folders, sorted.

    A path that doesn't exist may have wildcards, which shells on Windows leave to the program. A file that is
    named itself is taken, even if it is hidden or a symbolic link. In a folder, hidden names and symbolic
    links are skipped: hidden files are rarely receipts, and links can lead outside the folder or in circles.
    `LEFTOVERS` are skipped in any case, since a shell's wildcards name them, and so is a file that comes up
    again.
    """
    files: dict[str, LocalFile] = {}
    skipped: list[NotTaken] = []
    unreadable: list[NotTaken] = []
    for path in itertools.chain.from_iterable(map(_expanded, paths)):
        for found in _at(path):
            match found:
                case LocalFile():
                    place = os.path.realpath(found.path)
                    if place in files:
                        skipped.append(
                            NotTaken(path=found.path, reason=f"the same file as {files[place].path}")
                        )
                    else:
                        files[place] = found
                case _Unreadable():
                    unreadable.append(found)
                case _:
                    skipped.append(found)
    return Found(files=tuple(files.values()), skipped=tuple(skipped), unreadable=tuple(unreadable))


def find_files_below(folder: Path) -> Found:
    """Find all files in a folder by the same rules, whatever its own name is."""
    found = [*_walk(folder, above="")]
    return Found(
        files=tuple(each for each in found if isinstance(each, LocalFile)),
        skipped=tuple(each for each in found if not isinstance(each, LocalFile | _Unreadable)),
        unreadable=tuple(each for each in found if isinstance(each, _Unreadable)),
    )


def fingerprint_of(stream: BinaryIO) -> str:
    """SHA-256 of the rest of a stream, in lower-case hex, in constant memory."""
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def fingerprint_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in lower-case hex."""
    try:
        with path.open("rb") as stream:
            return fingerprint_of(stream)
    except OSError as error:
        raise BillEError(f"{path} cannot be read: {error.strerror}") from error


class _Unreadable(NotTaken):
    """A path that cannot be read, and isn't skipped by rule."""


def _expanded(path: Path) -> Sequence[Path]:
    # Path.glob takes no absolute patterns, and would match hidden files.
    matches = [] if os.path.lexists(path) else glob.glob(str(path))  # noqa: PTH207
    return [Path(match) for match in sorted(matches)] or [path]


def _at(path: Path) -> Iterable[LocalFile | NotTaken]:
    if ruled_out := _ruled_out(path):
        return [ruled_out]
    return _below(path) if path.is_dir() else [_named(path)]


def _ruled_out(path: Path) -> NotTaken | None:
    """Say why a path isn't uploaded, if its name says so."""
    name = path.name
    for what, patterns in LEFTOVERS.items():
        if any(fnmatchcase(name.lower(), pattern) for pattern in patterns):
            return NotTaken(path=path, reason=what)
    if placeholder := ICLOUD_PLACEHOLDER.fullmatch(name):
        return _Unreadable(path=path, reason=f"{placeholder[1]} is only in iCloud: download it first")
    return None


def _named(path: Path) -> LocalFile | NotTaken:
    try:
        if not path.exists():
            return _Unreadable(path=path, reason="there is no such file or folder")
        if not path.is_file():
            return _Unreadable(path=path, reason="not a regular file")
    except OSError as error:
        return _Unreadable(path=path, reason=error.strerror or str(error))
    return LocalFile(path=path, name=path.absolute().name)


def _below(folder: Path) -> Iterator[LocalFile | NotTaken]:
    empty = True
    for found in _walk(folder, above=""):
        empty = False
        yield found
    if empty:
        yield NotTaken(path=folder, reason="the folder is empty")


def _walk(folder: Path, above: str) -> Iterator[LocalFile | NotTaken]:
    try:
        children: Iterable[os.DirEntry[str]] = sorted(os.scandir(folder), key=lambda child: child.name)
    except OSError as error:
        yield _Unreadable(path=folder, reason=error.strerror or str(error))
        return
    for child in children:
        path, name = folder / child.name, f"{above}{child.name}"
        if ruled_out := _ruled_out(path):
            yield ruled_out
        elif child.name.startswith("."):
            yield NotTaken(path=path, reason="hidden")
        else:
            yield from _visible(child, path, name)


def _visible(child: os.DirEntry[str], path: Path, name: str) -> Iterator[LocalFile | NotTaken]:
    try:
        is_link = child.is_symlink()
        is_folder = not is_link and child.is_dir()
        is_file = not is_link and child.is_file()
    except OSError as error:  # For example, a network drive that has gone.
        yield _Unreadable(path=path, reason=error.strerror or str(error))
        return
    if is_folder:
        yield from _walk(path, above=f"{name}/")
    elif is_file:
        yield LocalFile(path=path, name=name)
    else:
        yield NotTaken(path=path, reason="a symbolic link" if is_link else "not a regular file")


def size_of(file: LocalFile) -> int:
    """Return a file's size, or 0 if it can't be read; its upload will fail."""
    try:
        return file.path.stat().st_size
    except OSError:
        return 0
