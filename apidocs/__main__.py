"""``python -m apidocs``: write the generated files, or with ``--check`` say which are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from apidocs.documents import documents

REPOSITORY = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Write every file that differs, or only name it; return the exit code."""
    only_check = arguments == ["--check"]
    if arguments and not only_check:
        sys.stderr.write("usage: python -m apidocs [--check]\n")
        return 2
    stale = {name: text for name, text in documents().items() if not _is_current(REPOSITORY / name, text)}
    for name, text in stale.items():
        if only_check:
            sys.stderr.write(f"{name} is not what the code says: run make docs\n")
        else:
            target = REPOSITORY / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return 1 if only_check and stale else 0


def _is_current(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
