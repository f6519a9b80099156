"""Look at the messages that the processor gave up on after five deliveries, send them back, or delete some.

  list            (default) list them, each with its reason, as far as that is known, and the object versions
                  that it is about, at most three for each
  show ID         show one of them, with the beginning of its body; with --json, all of it
  redrive         move all of them to the resend queue, once their cause is fixed; those that fail again come
                  back here. SQS moves them, and continues even if this command is interrupted. Their entries
                  will say that they were resent, and won't say who uploaded
  redrive ID...   move only these, one by one. If this command is interrupted, the rest stay here
  delete ID... --reason TEXT
                  delete these, one by one. A message about an upload without an entry is refused unless
                  you add --without-entry: the upload stays in the bucket, where `bill-e reconcile` reports
                  it as missing. Nothing is deleted if any of the messages is refused, or isn't there

redrive and delete leave lines in the stack's log of operations (the member operations of the output
log_groups), with your ARN, the time, the message and the reason. A line is written before a message is
touched, and if it can't be written, nothing is changed. Operators can't change or delete lines.

list and show take nothing out of the queue. While they read (for a minute at most), a message is hidden from
others, which shows in the queue's metrics for a moment. Its receive count rises by one, which has no effect
here. A message that another reader is looking at is not listed. SQS deletes a dead letter 14 days after it
was first sent.

It needs an operator's permissions: the stack's output operator_policy.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice

from cli.commands import Audience, Command
from cli.errors import BillEError, UsageError
from cli.operator.chosen_letters import ChosenLetter, choose_letters, delete_letters, redrive_letters
from cli.operator.dead_letters import DeadLetter, Diagnosis, LetterUpload, diagnose, looked_at
from cli.operator.letter_json import LISTED_UPLOADS, listed_json, shortened, whole_json
from cli.operator.operations_log import open_operations_log
from cli.operator.redrive import Move, follow_move, latest_move, refuse_second, start_move
from cli.operator.resources import Queue, StackResources, open_resources, queue_name
from cli.options import add_json, positive_integer, stack_of
from cli.screen.terminal import ABSENT, Row, Terminal, second_of
from functions.contract.entry import format_time
from functions.contract.s3_events import LONGEST_KEY_BYTES

LISTED_CHARACTERS = 100
"""How many characters of a key and of a version id a row of the list has."""
LONGEST_REASON = 1000
"""In characters."""
SHOWN_BODY = 4000
"""How many characters of a body `show` writes, except as JSON."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "action", nargs="?", choices=("list", "show", "redrive", "delete"), default="list", help="see above"
    )
    parser.add_argument("ids", metavar="ID", nargs="*", help="the id of a message, from the list")
    parser.add_argument(
        "--reason", type=reason, metavar="TEXT", help="with delete: why, for the log of operations"
    )
    parser.add_argument(
        "--without-entry",
        action="store_true",
        help="with delete: also delete messages about uploads that have no entry",
    )
    parser.add_argument(
        "--limit",
        type=positive_integer,
        default=100,
        metavar="N",
        help="with list: at most this many (default: 100)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="with redrive or delete: only say what would be done"
    )
    add_json(parser)


def reason(text: str) -> str:
    """Read why a message is deleted."""
    if not text.strip() or len(text) > LONGEST_REASON:
        raise argparse.ArgumentTypeError(f"give a reason of 1 to {LONGEST_REASON:,} characters")
    return text.strip()


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do what the action says; 1 if a message isn't there, or the redrive failed."""
    _refuse_wrong_use(options)
    with open_resources(stack_of(options)) as resources:
        match options.action:
            case "show":
                show(options.ids[0], resources, options.json, terminal)
            case "redrive" if not options.ids:
                return redrive_all(resources, options.dry_run, options.json, terminal)
            case "redrive" | "delete":
                change(options, resources, terminal)
            case _:
                list_letters(resources, options.limit, options.json, terminal)
    return 0


def _refuse_wrong_use(options: argparse.Namespace) -> None:
    action, ids = options.action, options.ids
    if action == "show" and len(ids) != 1:
        raise UsageError("show needs the ID of one message")
    if action == "list" and ids:
        raise UsageError("list takes no ID: show, redrive and delete do")
    if action == "delete" and not (ids and options.reason):
        raise UsageError("delete needs the ID of each message, and --reason")
    if action != "delete" and (options.reason or options.without_entry):
        raise UsageError("--reason and --without-entry go with delete")
    if options.dry_run and action not in {"redrive", "delete"}:
        raise UsageError("--dry-run goes with redrive and delete: list and show change nothing anyway")


def list_letters(resources: StackResources, limit: int, as_json: bool, terminal: Terminal) -> None:
    """Write the letters, oldest first, at most `limit`."""
    queue = resources.dead_letter_queue()
    total = queue.messages
    with (
        looked_at(resources.sqs, queue.url) as letters,
        terminal.counting("dead letters", min(limit, total)) as advance,
    ):
        found: list[tuple[DeadLetter, Diagnosis]] = []
        for letter in islice(letters, limit):
            found.append((letter, diagnose(letter, resources)))
            advance(1)
    found.sort(key=lambda pair: (pair[0].first_sent_at, pair[0].id))
    if as_json:
        members = {"queue_url": queue.url, "about": total}
        terminal.json_of_lists(members, {"dead_letters": (listed_json(*pair) for pair in found)})
        return
    terminal.table(_row(*pair) for pair in found)
    if not found and not queue.in_work:
        terminal.write("no dead letters")
    elif len(found) < total:
        hidden = f", {queue.in_work:,} of them hidden by another reader" if queue.in_work else ""
        terminal.complain(f"{len(found):,} listed of about {total:,}{hidden}; --limit sets how many")


def show(letter_id: str, resources: StackResources, as_json: bool, terminal: Terminal) -> None:
    """Write one letter with its body."""
    with looked_at(resources.sqs, resources.dead_letter_queue_url) as letters:
        letter = next((one for one in letters if one.id == letter_id), None)
    if letter is None:
        raise BillEError(
            f"no dead letter has the id {letter_id}: `bill-e dead-letters` lists them; one that another "
            "reader is looking at is hidden for a minute, and a redriven one gets a new id"
        )
    diagnosis = diagnose(letter, resources)
    if as_json:
        terminal.json(whole_json(letter, diagnosis))
        return
    terminal.fields(
        {
            "id": letter.id,
            "first sent": second_of(letter.first_sent_at),
            "received": f"{letter.receive_count} times",
            "state": diagnosis.state,
            "reason": diagnosis.reason,
        }
    )
    for told in diagnosis.uploads:
        terminal.write("")
        terminal.fields(_upload_fields(told))
    terminal.write("")
    terminal.write(shortened(letter.body, SHOWN_BODY))
    if len(letter.body) > SHOWN_BODY:
        terminal.complain(f"{SHOWN_BODY:,} of {len(letter.body):,} characters: --json writes the whole body")


def change(options: argparse.Namespace, resources: StackResources, terminal: Terminal) -> None:
    """Delete or redrive the letters that are named, and write which they are before."""
    with choose_letters(resources, options.ids) as chosen:
        if options.action == "delete" and not options.without_entry:
            _refuse_without_entry(chosen)
        if not options.json:
            terminal.table(_row(one.letter, one.diagnosis) for one in chosen)
        if not options.dry_run:
            _change(options, resources, chosen, terminal)
    done = "deleted" if options.action == "delete" else "redriven"
    if options.json:
        terminal.json(
            {
                "status": "DRY_RUN" if options.dry_run else done.upper(),
                "reason": options.reason,
                "dead_letters": [listed_json(one.letter, one.diagnosis) for one in chosen],
            }
        )
    elif options.dry_run:
        terminal.write(f"dry run: {len(chosen):,} would be {done}; nothing was changed")
    else:
        terminal.write(f"{len(chosen):,} {done}")


def _refuse_without_entry(chosen: Sequence[ChosenLetter]) -> None:
    lacking = [one.letter.id for one in chosen if one.lacks_entry]
    if lacking:
        raise BillEError(
            f"nothing was deleted, because an upload has no entry that this is about: {', '.join(lacking)}. "
            "Redrive it instead. Or add --without-entry to delete it all the same: if the upload is in the "
            "bucket, `bill-e reconcile` reports it as missing, and --fix sends it again"
        )


def _change(
    options: argparse.Namespace,
    resources: StackResources,
    chosen: Sequence[ChosenLetter],
    terminal: Terminal,
) -> None:
    log, done = open_operations_log(resources, f"dead-letters-{options.action}"), 0
    changed = (
        delete_letters(resources, log, chosen, options.reason)
        if options.action == "delete"
        else redrive_letters(resources, log, chosen)
    )
    try:
        for _ in changed:
            done += 1
    except (BillEError, KeyboardInterrupt):
        terminal.complain(
            f"{done:,} of {len(chosen):,} done; the last line in the log of operations says how far the next "
            "one got: `bill-e dead-letters` lists what is left"
        )
        raise


def redrive_all(resources: StackResources, dry_run: bool, as_json: bool, terminal: Terminal) -> int:
    """Move all letters to the resend queue, and wait until SQS has done so."""
    dead_letters, queue = resources.dead_letter_queue(), resources.resend_queue()
    refuse_second(latest_move(resources.sqs, dead_letters))
    if not dead_letters.waiting and dead_letters.in_work:
        raise BillEError(
            f"all {dead_letters.in_work:,} dead letters are hidden by another reader: try again in a minute"
        )
    status, moved = "NOTHING_TO_MOVE", 0
    if dead_letters.waiting and dry_run:
        status = "DRY_RUN"
    elif dead_letters.waiting:
        log = open_operations_log(resources, "dead-letters-redrive")
        log.write("all dead letters will be redriven", {"about": dead_letters.messages})
        start_move(resources.sqs, dead_letters, queue)
        end = _follow(resources, dead_letters, terminal)
        status, moved = end.status, end.moved
        log.write("redrive ended", {"status": status, "moved": moved})
        if end.failure:
            terminal.complain(f"SQS says: {end.failure}", style="red")
    if as_json:
        terminal.json(
            {
                "status": status,
                "waiting_before": dead_letters.waiting,
                "moved": moved,
                "from": dead_letters.arn,
                "to": queue.arn,
            }
        )
    else:
        terminal.write(_redrive_sentence(status, moved, dead_letters, queue))
    return 1 if status in {"FAILED", "CANCELLED"} else 0


def _follow(resources: StackResources, dead_letters: Queue, terminal: Terminal) -> Move:
    shown = 0
    end: Move | None = None
    try:
        with terminal.counting("moved", dead_letters.waiting) as advance:
            for end in follow_move(resources.sqs, dead_letters):
                advance(end.moved - shown)
                shown = end.moved
    except KeyboardInterrupt:
        terminal.complain("SQS continues the redrive: `bill-e dead-letters redrive` shows its progress")
        raise
    if end is None:
        raise BillEError("the redrive was started, but SQS doesn't list it")
    return end


def _redrive_sentence(status: str, moved: int, dead_letters: Queue, queue: Queue) -> str:
    name = queue_name(queue.url)
    if status == "NOTHING_TO_MOVE":
        return "no dead letters: nothing to redrive"
    if status == "DRY_RUN":
        return f"dry run: about {dead_letters.waiting:,} would be moved to {name}; nothing was moved"
    return f"{status.lower()}: {moved:,} moved to {name}"


def _row(letter: DeadLetter, diagnosis: Diagnosis) -> Row:
    return {
        "FIRST SENT": second_of(letter.first_sent_at),
        "RECEIVED": str(letter.receive_count),
        "ID": letter.id,
        "STATE": diagnosis.state,
        "KEY": _keys(diagnosis.uploads),
        "DETAIL": diagnosis.reason,
    }


def _keys(uploads: Sequence[LetterUpload]) -> str:
    versions = (told.upload.version for told in uploads[:LISTED_UPLOADS])
    named = [
        f"{shortened(version.key, LISTED_CHARACTERS)} ({shortened(version.version_id, LISTED_CHARACTERS)})"
        for version in versions
    ]
    if len(uploads) > LISTED_UPLOADS:
        named.append(f"and {len(uploads) - LISTED_UPLOADS} more")
    return ", ".join(named) or ABSENT


def _upload_fields(told: LetterUpload) -> Row:
    version, entry = told.upload.version, told.entry
    return {
        "bucket": version.bucket,
        "key": shortened(version.key, LONGEST_KEY_BYTES),
        "version": version.version_id,
        "uploaded": second_of(format_time(told.upload.uploaded_at)),
        "outcome": str(entry.outcome) if entry else "no entry",
        "fingerprint": (entry.fingerprint if entry else None) or ABSENT,
    }


COMMAND = Command(
    name="dead-letters",
    audience=Audience.OPERATORS,
    summary="look at failed messages, redrive or delete them",
    description=__doc__,
    examples=(
        "bill-e dead-letters --stack prod",
        "bill-e dead-letters show 8f14e45f-ceea-467f-a0e6-4a2d3e1b6c11 --stack prod",
        "bill-e dead-letters redrive --dry-run --stack prod",
        "bill-e dead-letters redrive 8f14e45f-ceea-467f-a0e6-4a2d3e1b6c11 --stack prod",
        "bill-e dead-letters delete 8f14e45f-ceea-467f-a0e6-4a2d3e1b6c11 --reason 'not from S3' --stack prod",
    ),
    add_options=add_options,
    run=run,
)
