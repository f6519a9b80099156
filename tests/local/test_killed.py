from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

from functions.contract import schema
from local.queues import Depth, depth, processor_held, redelivery_after
from tests.local.eventually import eventually
from tests.local.processes import frozen, processes_naming, send
from tests.local.stack import MAX_RECEIPT_BYTES, DeployedStack, Object, png

BATCH_SIZE = 10
REDELIVERY_SECONDS = 8
"""Instead of the program's six function time-outs, which would take minutes. Longer than the processor works
on a batch, so that a message comes back only because the processor was killed."""

STEP_SECONDS = 0.003
"""How long the processor runs between two looks at it."""

TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a batch is, seen while its processor is frozen or dead."""

    messages: int
    entries: int
    queue: Depth

    @property
    def is_in_the_middle(self) -> bool:
        """Whether it still has a message without an entry, and one with an entry."""
        taken, deleted = self.messages - self.queue.waiting, self.messages - self.queue.total
        return taken > self.entries > deleted


def test_batch_of_a_killed_processor_ends_in_one_entry_for_each_upload(stack: DeployedStack) -> None:
    eventually("an empty queue", lambda: depth(stack).total == 0)
    with redelivery_after(stack, REDELIVERY_SECONDS):
        uploads = kill_in_the_middle_of_a_batch(stack)
        eventually("an empty queue", lambda: depth(stack).total == 0)

    # This also checks that none of them has a second entry.
    assert [entry["outcome"] for entry in stack.entries_of(*uploads)] == ["ACCEPTED"] * len(uploads)


def kill_in_the_middle_of_a_batch(stack: DeployedStack) -> list[Object]:
    """Upload, and kill the processor when it has done a part of it; return all that was uploaded.

    The processor runs in small steps, and is frozen in between: what is seen then is still so when it dies.
    """
    uploads: list[Object] = []
    for _ in range(TRIES):
        batch = upload_batch(stack)
        uploads += batch
        while depth(stack).total:
            processors = processors_of(stack)
            with frozen(processors):
                if progress_of(stack, batch).is_in_the_middle:
                    send(signal.SIGKILL, processors)
                    # Unless a call that was on its way has just finished the batch.
                    if progress_of(stack, batch).is_in_the_middle:
                        return uploads
                    break
            time.sleep(STEP_SECONDS)
        eventually("an empty queue", lambda: depth(stack).total == 0)
    raise AssertionError(f"in {TRIES} batches, the processor was never seen in the middle")


def upload_batch(stack: DeployedStack) -> list[Object]:
    """Upload large files, which take some time, and give the processor all of them at once."""
    with processor_held(stack):
        return [
            stack.upload(f"killed/{number}.png", png(padding=MAX_RECEIPT_BYTES // 2))
            for number in range(BATCH_SIZE)
        ]


def processors_of(stack: DeployedStack) -> list[int]:
    """The processes that run the processor, which the emulator starts in folders that bear its name."""
    (name,) = (
        function["FunctionName"]
        for function in stack.administrator.client("lambda").list_functions()["Functions"]
        if function["Handler"].startswith("functions.processor.")
    )
    return processes_naming(f"ministack-lambda-{name}-")


def progress_of(stack: DeployedStack, batch: Sequence[Object]) -> Progress:
    table = stack.outputs["ledger_table"]
    keys = [
        {schema.FINGERPRINT: {"S": uploaded.fingerprint}, schema.ENTRY: {"S": schema.RECEIPT}}
        for uploaded in batch
    ]
    found = stack.administrator.client("dynamodb").batch_get_item(RequestItems={table: {"Keys": keys}})
    return Progress(messages=len(batch), entries=len(found["Responses"][table]), queue=depth(stack))
