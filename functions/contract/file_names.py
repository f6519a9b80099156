"""Makes a file name from an object's key, which whoever uploads the object chooses.

The file-links function offers the name to browsers, and the command line writes a file under it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_NAME_BYTES: Final = 200
"""Less than the 255 bytes that a name may have on most file systems, so that something can be added."""

NAMELESS: Final = "receipt"

_NOT_ON_WINDOWS: Final = frozenset('<>:"/\\|?*')
_DEVICES: Final = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]) *(\.|$)", re.IGNORECASE)
"""Names that mean a device on Windows, whatever their extension ("Naming Files, Paths, and Namespaces")."""


def safe_file_name(key: str) -> str:
    """Return the last part of a key as a name that any file system takes, and that means just a file.

    Folders are cut off, both those of Unix and of Windows. Characters that nobody sees, such as control
    characters and right-to-left overrides, become ``_``, and so do those that Windows doesn't take. No name
    is hidden, an option of a command, or a device. A name that is too long keeps its end, with the extension.
    """
    name = unicodedata.normalize("NFC", key.replace("\\", "/").rpartition("/")[2])
    name = "".join("_" if _is_unsafe(character) else character for character in name)
    name = name.encode()[-MAX_NAME_BYTES:].decode(errors="ignore").strip(". ")
    if name.startswith("-") or _DEVICES.match(name):
        name = f"_{name}"
    return name or NAMELESS


def is_unseen(character: str) -> bool:
    """Say whether nobody sees a character, or it changes how others look, by its Unicode category."""
    category = unicodedata.category(character)
    return category.startswith("C") or category in {"Zl", "Zp"}


def _is_unsafe(character: str) -> bool:
    return is_unseen(character) or character in _NOT_ON_WINDOWS
