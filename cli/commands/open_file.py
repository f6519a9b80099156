"""Show the file of a receipt in the program that this machine has for it.

The file is checked against its fingerprint, and kept in a temporary folder that only you can read. Pictures
and PDF files are opened. Other types can hold scripts, links or more files, which the program could run or
load, so they aren't: save them with `bill-e get`.

Callers may not do this: it needs the permissions in the stack's output auditor_policy, or a token with the
scopes for files and for reading.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePath

from cli.answers import ApiEntry, ApiFileLink, ApiHistory
from cli.caller.connection import connect
from cli.caller.download import downloaded, give_name
from cli.caller.subjects import SubjectSearch
from cli.commands import Audience, Command
from cli.commands.get import add_version, link_to
from cli.commands.show import find_subject
from cli.errors import BillEError
from cli.options import stack_of, token_of
from cli.screen.terminal import Terminal
from functions.contract.entry import ContentFinding, Outcome
from functions.contract.file_names import safe_file_name

EXTENSIONS = {
    "application/pdf": ".pdf",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tiff",
    "image/webp": ".webp",
}
"""The media types that are opened. The extension decides which program opens a file, so it comes from the
type that the processor recognised, and not from the key, which the uploader chose."""

WARNINGS = {
    ContentFinding.ACTIVE_CONTENT: "it contains scripts, or other things that your program may run",
    ContentFinding.ENCRYPTED: "it is encrypted, so your program may ask for a password",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "subject",
        metavar="FINGERPRINT|FILE|KEY",
        help="64 hexadecimal digits or the first 8 or more, a file, or a key",
    )
    add_version(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Download the file, warn about what was found in it, and open it."""
    access = stack_of(options)
    with connect(access, token=token_of(options), as_auditor=True) as stack:
        subject = find_subject(SubjectSearch(api=stack.api, access=access), options.subject, terminal)
        link = link_to(stack, subject, options.version_id)
        name = name_to_open(link)
        folder = Path(tempfile.mkdtemp(prefix="bill-e-"))
        try:
            with downloaded(stack.http, link, folder) as temporary:
                give_name(temporary, folder / name, overwrite=False)
        except BaseException:
            folder.rmdir()
            raise
    for warning in warnings_of(entry_of(subject.history, link["version_id"])):
        terminal.complain(f"warning: {link['key']}: {warning}", style="yellow")
    terminal.write(f"opening {folder / name}")
    open_with_system(folder / name)
    return 0


def name_to_open(link: ApiFileLink) -> str:
    """Return the name under which a file is opened, or raise BillEError if it isn't a picture or a PDF."""
    extension = EXTENSIONS.get(link["media_type"] or "")
    if extension is None:
        what = link["media_type"] or "of no type that the stack knows"
        raise BillEError(
            f"{link['key']} is {what}, and could run or load something when it is opened: save it with "
            "`bill-e get`"
        )
    return PurePath(safe_file_name(link["key"])).stem + extension


def entry_of(history: ApiHistory | None, version_id: str) -> ApiEntry | None:
    """Return the entry of an object version, or the receipt with the same bytes if the history lacks it."""
    if history is None:
        return None
    receipt = history["receipt"]
    others = (*history["duplicates"], *history["rejections"])
    return next((entry for entry in others if entry["version_id"] == version_id), receipt)


def warnings_of(entry: ApiEntry | None) -> list[str]:
    """Say what is worth knowing before a file is opened."""
    if entry is None:
        return ["what was found in it isn't known"]
    warnings = [text for finding, text in WARNINGS.items() if finding in entry.get("findings", ())]
    if entry["outcome"] == Outcome.REJECTED:
        warnings.append(f"it was rejected: {entry.get('reason')}")
    return warnings


def open_with_system(path: Path) -> None:
    """Open a file with the program that the system has for its type. Raise BillEError if there is none."""
    if sys.platform == "win32":
        os.startfile(path)  # noqa: S606 - the type is one of `EXTENSIONS`
        return
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        raise BillEError(f"there is no program to open files with on this machine; the file is {path}")
    ran = subprocess.run(
        [opener, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if ran.returncode != 0:
        raise BillEError(f"{opener} could not open it (exit code {ran.returncode}); the file is {path}")


COMMAND = Command(
    name="open",
    audience=Audience.AUDITORS,
    summary="show the file of a receipt",
    description=__doc__,
    examples=("bill-e open FINGERPRINT --stack dev", "bill-e open FINGERPRINT --version ID --stack dev"),
    add_options=add_options,
    run=run,
)
