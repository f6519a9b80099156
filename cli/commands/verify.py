"""Verify an audit package offline: no network and no AWS, only the package and the log's public key.

The package is checked against the log in it, and the log against the key, which you need from somebody that
you trust. Each row in both formats, the log's tiles and its root, older checkpoints, proofs and files are
checked. What wasn't given is listed as NOT CHECKED. A row that is gone is listed as erased if its erasure was
sealed.

The exit code is 0 if nothing is wrong, 1 if there are findings, and 2 if the input can't be used. Each
finding has one of these codes:

"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from cli.auditor.findings import MEANINGS
from cli.auditor.package import UnusableError
from cli.auditor.verification import MAX_DELAY, Given, verify
from cli.commands import Audience, Command
from cli.errors import UsageError
from cli.options import add_json, minutes, named_path, verifier_key
from cli.screen.terminal import Terminal, printable


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("package", type=named_path, metavar="DIR", help="the folder that was exported")
    parser.add_argument(
        "--key",
        required=True,
        metavar="VKEY|FILE",
        help="the log's verifier key, or a file with it: the stack's output log_public_key. Don't take it "
        "from the package itself",
    )
    parser.add_argument(
        "--since",
        type=named_path,
        action="append",
        default=[],
        metavar="CHECKPOINT",
        help="a checkpoint of this log that you kept (repeatable)",
    )
    parser.add_argument(
        "--objects",
        type=named_path,
        metavar="LISTING",
        help="the bucket's object versions: the JSON of `aws s3api list-object-versions`, or an S3 Inventory "
        "report in CSV",
    )
    parser.add_argument(
        "--max-delay",
        type=minutes,
        default=MAX_DELAY,
        metavar="MIN",
        help="how long after its recording an entry may be sealed (default: 15)",
    )
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Verify, and say what was found."""
    given = Given(
        package=options.package,
        key=verifier_key(options.key),
        since=tuple(options.since),
        objects=options.objects,
        max_delay=options.max_delay,
    )
    try:
        report = verify(given)
    except UnusableError as error:
        raise UsageError(str(error)) from error
    found = sum(report.counts.values())
    if options.json:
        terminal.json(
            {
                "clean": not found,
                **report.facts,
                "counts": report.counts,
                "findings": [{**asdict(each), "meaning": MEANINGS[each.code]} for each in report.findings],
                "notes": report.notes,
                "not_checked": report.not_checked,
            }
        )
        return 1 if found else 0
    for name, value in report.facts.items():
        terminal.write(f"{name}: {'-' if value is None else value}")
    for each in report.findings:
        terminal.write(printable(f"{each.code}: {each.about}: {each.detail}"), style="red")
    for code, count in report.counts.items():
        terminal.write(f"{count:,} x {code}: {MEANINGS[code]}", style="red")
    for note in report.notes:
        terminal.write(f"note: {note}")
    for what in report.not_checked:
        terminal.write(f"NOT CHECKED: {what}", style="yellow")
    terminal.write(f"{found:,} findings" if found else "nothing is wrong with what was checked")
    return 1 if found else 0


COMMAND = Command(
    name="verify",
    audience=Audience.AUDITORS,
    summary="verify an audit package offline",
    description=__doc__ + "\n".join(f"  {code:<22}{meaning}" for code, meaning in MEANINGS.items()),
    examples=(
        "bill-e verify package --key log.vkey",
        "bill-e verify package --key log.vkey --since checkpoint-of-october --objects versions.json",
    ),
    add_options=add_options,
    run=run,
    needs_stack=False,
)
