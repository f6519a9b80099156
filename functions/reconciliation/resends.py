"""Messages for the resend queue: what they say, and how a batch of them is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.contract.entry import ObjectVersion
from functions.contract.s3_events import record_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from functions.reconciliation.inventory import StoredVersion

BATCH_MESSAGES = 10
"""The most that SendMessageBatch takes."""

ATTEMPTS = 5
"""How many times a message is sent if the queue doesn't take it."""


class NotTakenError(Exception):
    """The queue didn't take all messages of a batch. Says how many, and why."""


def resend_event(
    version: StoredVersion, *, bucket: str, region: str, source: str, principal: str
) -> dict[str, Any]:
    """Make the event that tells the processor about an object version.

    It is like S3's (S3 User Guide, "Event message structure"). The processor only takes the object version
    from it. The rest is for whoever reads a dead letter: the ``source`` is what sends the event, and the
    ``principal`` is on whose behalf.
    """
    record = record_of(
        ObjectVersion(bucket=bucket, key=version.key, version_id=version.version_id),
        source=source,
        name="ObjectCreated:Resent",
        time=version.modified,
        region=region,
        size_bytes=version.size_bytes,
        principal=principal,
    )
    return {"Records": [record]}


def message_body(event: dict[str, Any]) -> str:
    """Write an event as the body of a message."""
    return json.dumps(event, separators=(",", ":"))


def send_batch(sqs: SQSClient, queue_url: str, bodies: Sequence[str]) -> None:
    """Send at most `BATCH_MESSAGES`, and send again what the queue didn't take, or raise NotTakenError."""
    waiting: dict[str, SendMessageBatchRequestEntryTypeDef] = {
        str(number): {"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)
    }
    failed: list[str] = []
    for _ in range(ATTEMPTS):
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=list(waiting.values()))
        for entry in answer.get("Successful", ()):
            del waiting[entry["Id"]]
        if not waiting:
            return
        failed = [f"{entry.get('Message', '')} ({entry['Code']})" for entry in answer.get("Failed", ())]
    reason = failed[0] if failed else "no reason given"
    raise NotTakenError(f"the queue did not take {len(waiting)} messages: {reason}")
