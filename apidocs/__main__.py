"""``python -m apidocs``: write the documents into docs/, or with ``--check`` say which are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from apidocs.documents import documents

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main(arguments: list[str]) -> int:
    """Write every document that differs, or only name it; return the exit code."""
    only_check = arguments == ["--check"]
    if arguments and not only_check:
        sys.stderr.write("usage: python -m apidocs [--check]\n")
        return 2
    stale = {name: text for name, text in documents().items() if not _is_current(DOCS / name, text)}
    for name, text in stale.items():
        if only_check:
            sys.stderr.write(f"docs/{name} is not what the code says: run make docs\n")
        else:
            (DOCS / name).write_text(text, encoding="utf-8")
    return 1 if only_check and stale else 0


def _is_current(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
