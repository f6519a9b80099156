"""Save the files of receipts: exactly the bytes that were recorded.

Name a receipt as for `bill-e show`: by its fingerprint, the first 8 or more digits of that, a file, or a key.
Each file is checked against its fingerprint when it has arrived, and only then gets its name, which is the
last part of its key. If the receipt's own object version is gone, it is another one with the same bytes. A
key stands for its newest upload, and --version for any, so that you also get what was rejected. Nothing is
overwritten unless you give --force.

Callers may not do this: it needs the permissions in the stack's output auditor_policy, or a token with the
scope for files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from cli.answers import ApiFileLink
from cli.caller.connection import StackConnection, connect
from cli.caller.download import already_there, downloaded, give_name
from cli.caller.subjects import Subject, SubjectSearch
from cli.commands import Audience, Command
from cli.commands.show import find_subject
from cli.errors import BillEError, DeniedError, SignInError, UsageError
from cli.options import add_json, stack_of, token_of
from cli.screen.terminal import Terminal, size_text
from functions.contract.entry import Outcome
from functions.contract.file_names import safe_file_name

STDOUT = "-"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "subjects",
        nargs="+",
        metavar="FINGERPRINT|FILE|KEY",
        help="64 hexadecimal digits or the first 8 or more, a file, or a key",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE|FOLDER|-",
        help="where to save them (default: the current folder); - writes one file to stdout",
    )
    add_version(parser)
    parser.add_argument("--force", action="store_true", help="overwrite a file that exists already")
    add_json(parser)


def add_version(parser: argparse.ArgumentParser) -> None:
    """Add the option that names an object version."""
    parser.add_argument(
        "--version",
        dest="version_id",
        metavar="ID",
        help="the version id of a duplicate or of a rejected upload, as `bill-e show` lists them",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Save each file. A failure doesn't stop the others."""
    refuse_wrong_usage(options)
    saved: list[dict[str, object]] = []
    failed = 0
    access = stack_of(options)
    with connect(access, token=token_of(options), as_auditor=True) as stack:
        search = SubjectSearch(api=stack.api, access=access)
        for text in options.subjects:
            try:
                subject = find_subject(search, text, terminal)
                link = link_to(stack, subject, options.version_id)
                if options.output == STDOUT:
                    write_to_stdout(stack, link)
                    continue
                path = save(stack, link, options)
            except (SignInError, DeniedError):
                raise
            except BillEError as error:
                if len(options.subjects) == 1:
                    raise
                terminal.complain(f"{text}: {error}", style="red")
                failed += 1
                continue
            named = {name: value for name, value in link.items() if name not in {"url", "expires_at"}}
            saved.append({"path": str(path), **named})
            if not options.json:
                terminal.write(
                    f"saved {path} ({size_text(path.stat().st_size)}), with the fingerprint in the ledger"
                )
    if options.json:
        terminal.json({"saved": saved, "failed": failed})
    return 1 if failed else 0


def refuse_wrong_usage(options: argparse.Namespace) -> None:
    """Raise UsageError if the options don't fit together."""
    several = len(options.subjects) > 1
    if options.version_id is not None and several:
        raise UsageError("--version names one object version: give one receipt with it")
    if options.output == STDOUT and (several or options.json):
        raise UsageError("-o - writes one file to stdout, and nothing else")
    if options.output == STDOUT and sys.stdout.isatty():
        raise UsageError("-o - would write the file to the terminal: redirect stdout, or leave -o out")
    is_folder = _names_a_folder(options.output) or Path(options.output or ".").is_dir()
    if several and not is_folder:
        raise UsageError(f"{options.output} is not a folder, so it can't take several files")


def _names_a_folder(output: str | None) -> bool:
    """Tell whether a path ends in a slash, and so means a folder, which is made if it isn't there."""
    return output is not None and output.endswith(("/", os.sep))


def link_to(stack: StackConnection, subject: Subject, version_id: str | None) -> ApiFileLink:
    """Ask for a link to what was named, or to a version of it. Raise BillEError if it can't be checked."""
    if subject.fingerprint is None:
        raise BillEError(
            "it was rejected without being read, so the ledger has no fingerprint to check it against"
        )
    link = stack.api.file_link(subject.fingerprint, version_id or _version_named(subject))
    # What arrives is compared with what was asked for, and not with what the answer says.
    return {**link, "fingerprint": subject.fingerprint}


def _version_named(subject: Subject) -> str | None:
    """Return the version of an upload that was named by its key, or that was never accepted."""
    if subject.entry is not None and subject.entry["outcome"] != Outcome.ACCEPTED:
        return subject.entry["version_id"]
    if subject.history and subject.history["receipt"] is None:
        return next((entry["version_id"] for entry in subject.history["rejections"]), None)
    return None


def write_to_stdout(stack: StackConnection, link: ApiFileLink) -> None:
    """Write a file to stdout, but not before it has been checked."""
    with (
        tempfile.TemporaryDirectory() as folder,
        downloaded(stack.http, link, Path(folder)) as temporary,
        temporary.open("rb") as file,
    ):
        shutil.copyfileobj(file, sys.stdout.buffer)


def save(stack: StackConnection, link: ApiFileLink, options: argparse.Namespace) -> Path:
    """Save a file where the options say, and return its path."""
    destination = Path(options.output or ".")
    if _names_a_folder(options.output):
        destination.mkdir(parents=True, exist_ok=True)
    if destination.is_dir():
        destination /= safe_file_name(link["key"])
    if destination.exists() and not options.force:
        raise already_there(destination)
    with downloaded(stack.http, link, destination.parent) as temporary:
        give_name(temporary, destination, overwrite=options.force)
    return destination


COMMAND = Command(
    name="get",
    audience=Audience.AUDITORS,
    summary="save the files of receipts",
    description=__doc__,
    examples=(
        "bill-e get FINGERPRINT --stack dev",
        "bill-e get 7b571ad1620a 2026/taxi.pdf -o receipts/ --stack dev",
        "bill-e get FINGERPRINT --version ID -o - --stack dev | pdftotext - -",
    ),
    add_options=add_options,
    run=run,
)
