"""Deleting or redriving the dead letters that an operator names, one by one.

SQS's own redrive moves all messages of a queue or none. Each letter has a line in the log of operations
before anything happens to it, and one after. A letter is sent before it is deleted: if the command ends in
between, it is in both queues, which does no harm, since an object version gets one entry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cli.errors import BillEError, explained
from cli.operator.dead_letters import HIDDEN_SECONDS, DeadLetter, Diagnosis, diagnose, looked_at
from cli.operator.operations_log import OperationsLog
from cli.operator.resources import StackResources

LOGGED_BODY = 10_000
"""How many characters of a body a line has: all of S3's messages, and enough of any other."""

NOT_HIDDEN = {"InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid"}
"""What SQS says of a handle if the message is no longer this reader's."""


@dataclass(frozen=True, kw_only=True)
class ChosenLetter:
    """A dead letter that an operator named, and why it is dead."""

    letter: DeadLetter
    diagnosis: Diagnosis

    @property
    def lacks_entry(self) -> bool:
        """Whether it is about an upload that has no entry, as far as that is known."""
        return self.diagnosis.state in {"event", "not recorded"}


@contextmanager
def choose_letters(resources: StackResources, ids: Sequence[str]) -> Iterator[list[ChosenLetter]]:
    """Find letters by their ids, hidden from others until the end. Raise BillEError unless all are there."""
    with looked_at(resources.sqs, resources.dead_letter_queue_url) as letters:
        missing, found = set(ids), []
        for letter in letters:
            if letter.id in missing:
                missing.remove(letter.id)
                found.append(ChosenLetter(letter=letter, diagnosis=diagnose(letter, resources)))
            if not missing:
                break
        if missing:
            raise BillEError(
                f"no dead letter has the id {', '.join(sorted(missing))}, so nothing was changed: `bill-e "
                "dead-letters` lists them; one that another reader is looking at is hidden for a minute, and "
                "a redriven one gets a new id"
            )
        yield found


def delete_letters(
    resources: StackResources, log: OperationsLog, chosen: Sequence[ChosenLetter], reason: str
) -> Iterator[ChosenLetter]:
    """Delete letters, and yield each that is gone."""
    for one in chosen:
        _keep_hidden(resources, one.letter)
        log.write("dead letter will be deleted", {**_line(one), "reason": reason})
        _delete(resources, one.letter)
        log.write("dead letter deleted", {"message_id": one.letter.id})
        yield one


def redrive_letters(
    resources: StackResources, log: OperationsLog, chosen: Sequence[ChosenLetter]
) -> Iterator[ChosenLetter]:
    """Send letters to the resend queue, delete them, and yield each that has moved."""
    for one in chosen:
        _keep_hidden(resources, one.letter)
        log.write("dead letter will be redriven", _line(one))
        with explained("sending to the resend queue (sqs:SendMessage)", granted_by="operator_policy"):
            sent = resources.sqs.send_message(
                QueueUrl=resources.resend_queue_url, MessageBody=one.letter.body
            )
        _delete(resources, one.letter)
        moved = {"message_id": one.letter.id, "new_message_id": sent["MessageId"]}
        log.write("dead letter redriven", moved)
        yield one


def _keep_hidden(resources: StackResources, letter: DeadLetter) -> None:
    """Hide a letter for another while. Another reader may have it if looking for the others took too long."""
    with explained(
        "keeping a dead letter hidden (sqs:ChangeMessageVisibility)", granted_by="operator_policy"
    ):
        try:
            resources.sqs.change_message_visibility(
                QueueUrl=resources.dead_letter_queue_url,
                ReceiptHandle=letter.handle,
                VisibilityTimeout=HIDDEN_SECONDS,
            )
        except ClientError as error:
            if error.response["Error"]["Code"].rpartition(".")[2] not in NOT_HIDDEN:
                raise
            raise BillEError(
                f"another reader may have the dead letter {letter.id} by now: try again in a minute"
            ) from error


def _delete(resources: StackResources, letter: DeadLetter) -> None:
    with explained("deleting a dead letter (sqs:DeleteMessage)", granted_by="operator_policy"):
        resources.sqs.delete_message(QueueUrl=resources.dead_letter_queue_url, ReceiptHandle=letter.handle)


def _line(one: ChosenLetter) -> dict[str, Any]:
    """Say which letter it is, and enough of it to send it again by hand."""
    letter, versions = one.letter, [told.upload.version for told in one.diagnosis.uploads]
    return {
        "message_id": letter.id,
        "first_sent_at": letter.first_sent_at,
        "state": one.diagnosis.state,
        "versions": [
            {"bucket": version.bucket, "key": version.key, "version_id": version.version_id}
            for version in versions
        ],
        "body": letter.body[:LOGGED_BODY],
        "body_sha256": hashlib.sha256(letter.body.encode()).hexdigest(),
    }
