"""Have rejected uploads judged again, after the rules have changed.

S3 copies each object version onto its own key. The copy is a new object version with a new entry, judged by
the rules of today. The first object version and its entry stay.

  KEY            the rejected uploads with this whole key
  FINGERPRINT    those with this fingerprint, 64 hexadecimal digits
  --reason R     those that were rejected for this reason

An object version is left out if its key has a later one with the same bytes, as far as the ledger knows: that
was judged later. So what has been resubmitted isn't copied again once its copy has an entry; wait for that
before you repeat the command. A copy keeps the content type and the metadata. S3's event about it names you
as the uploader, and the way is `copy`.

The command reads the whole ledger, as reconcile does. Operators may neither read nor write uploads, so this
needs an administrator's credentials: dynamodb:Scan on the ledger, s3:GetObjectVersion and s3:PutObject on the
bucket, logs:CreateLogStream and logs:PutLogEvents on the log of operations, where it leaves two lines, and
with a customer's key also kms:Decrypt and kms:GenerateDataKey.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial

from cli.commands import Audience, Command
from cli.errors import UsageError
from cli.operator.operations_log import open_operations_log
from cli.operator.resources import open_resources
from cli.operator.resubmission import (
    ChosenVersion,
    CopyFailure,
    CopyTotals,
    choose_rejected,
    copy_chosen,
    is_rejected,
)
from cli.options import add_json, stack_of
from cli.screen.terminal import Row, Terminal, second_of, size_text
from functions.contract.entry import Reason

REASONS = [reason for reason in Reason if reason is not Reason.OBJECT_MISSING]
"""Those of object versions that were there."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("subject", metavar="KEY|FINGERPRINT", nargs="?", help="see above")
    parser.add_argument(
        "--reason", type=Reason, choices=REASONS, metavar="R", help=f"one of {', '.join(REASONS)}"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be copied")
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Copy what is to be judged again, and report; 1 if something couldn't be copied."""
    if (options.subject is None) == (options.reason is None):
        raise UsageError("give either KEY|FINGERPRINT or --reason")
    wanted = partial(is_rejected, subject=options.subject, reason=options.reason)
    with (
        open_resources(stack_of(options), as_administrator=True) as resources,
        choose_rejected(resources, wanted, terminal.counting) as resubmission,
    ):
        rejected, chosen = resubmission.count_rejected(), resubmission.count_chosen()
        done = CopyTotals()
        if chosen and not options.dry_run:
            log, subject = open_operations_log(resources, "resubmit"), options.subject or options.reason
            log.write("rejected uploads will be copied", {"subject": subject, "chosen": chosen})
            done = copy_chosen(resubmission, resources, terminal.counting)
            log.write("rejected uploads copied", {"subject": subject, **asdict(done)})
        if options.json:
            members = {
                "bucket": resources.bucket,
                "totals": {"rejected": rejected, "judged_later": rejected - chosen, "chosen": chosen},
                **asdict(done),
            }
            versions = {"versions": (one._asdict() for one in resubmission.chosen())}
            failures = {"failures": map(asdict, resubmission.failures())}
            terminal.json_of_lists(members, versions if options.dry_run else failures)
            return 1 if done.failed else 0
        if options.dry_run:
            terminal.excerpt((chosen, map(_row, resubmission.chosen()), ""))
        terminal.excerpt(
            (done.failed, map(_failure_row, resubmission.failures()), " that couldn't be copied")
        )
        action = f"{chosen:,} would be copied (dry run)" if options.dry_run else f"{done.copied:,} copied"
        besides = ((done.gone, "gone"), (done.failed, "not copied"))
        rest = "".join(f" + {count:,} {what}" for count, what in besides if count)
        terminal.write(
            f"rejected object versions: {rejected:,} = {rejected - chosen:,} judged later + {action}{rest}"
        )
    return 1 if done.failed else 0


def _row(version: ChosenVersion) -> Row:
    return {
        "UPLOADED": second_of(version.uploaded_at),
        "SIZE": size_text(version.size_bytes),
        "VERSION": version.version_id,
        "KEY": version.key,
        "DETAIL": version.reason,
    }


def _failure_row(failure: CopyFailure) -> Row:
    return {"VERSION": failure.version_id, "KEY": failure.key, "DETAIL": failure.detail}


COMMAND = Command(
    name="resubmit",
    audience=Audience.ADMINISTRATORS,
    summary="have rejected uploads judged again",
    description=__doc__,
    examples=(
        "bill-e resubmit --reason unsupported_type --dry-run --stack prod",
        "bill-e resubmit --reason too_large --stack prod",
        "bill-e resubmit scans/receipt.avif --stack prod",
    ),
    add_options=add_options,
    run=run,
)
