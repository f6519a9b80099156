"""``python -m local console``: a stack that a few hundred receipts arrive at, and the console on it."""

from __future__ import annotations

import contextlib
import json
import random
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from cli.commands.console import say_address
from cli.console.app import open_console
from cli.console.serve import serve
from cli.errors import BillEError
from cli.screen.terminal import Terminal
from cli.stack import parse_access
from functions.contract.sealing import SETTLED_AFTER_SECONDS
from local import LocalError
from local.aws import Aws
from local.commands.demo import SAMPLE_FOLDERS
from local.dashboard import extract_metrics, read_logs
from local.embedded_stack import EmbeddedStack, create_role, running_stack, take_role
from local.printed_receipts import PEOPLE, Sent, printed_receipts
from local.workload import Planned

RECEIPTS = 300
UPLOADERS = 4
METRICS_SECONDS = 15

ROLE = "clerk"
"""What people who upload sign in to. S3 names a session of a role as the person, but a user by an id."""

NOT_FROM_S3 = {"note": "Somebody sent this to the queue, and it isn't an event of S3."}


def console(port: int | None, *, browser: bool) -> None:
    """Deploy, serve the console, and upload meanwhile, so that entries come in while somebody looks.

    Raises:
        LocalError: something cannot be started.

    """
    terminal = Terminal.over(sys.stdout, sys.stderr)
    terminal.complain("starting an embedded AWS, and deploying the program on it")
    with running_stack() as stack:
        access = parse_access(stack.description(), "the embedded AWS")
        try:
            with (
                _running(_Activity(stack, terminal)),
                open_console(access, name="local", token=None, pinned=None) as opened,
            ):
                serve(
                    opened,
                    port=port,
                    browser=browser,
                    on_start=lambda address: say_address(address, terminal),
                )
        except BillEError as error:
            raise LocalError(f"the console failed: {error}") from error


class _Activity:
    """What happens at the stack while somebody looks at it."""

    def __init__(self, stack: EmbeddedStack, terminal: Terminal) -> None:
        self._stack = stack
        self._terminal = terminal
        self.stopped = threading.Event()

    def run(self) -> None:
        """Upload, and then publish metrics until it is stopped. If anything fails, say so and end."""
        try:
            self._send()
            self._leave_dead_letter()
            # Both also come by themselves, but not in anybody's first minute.
            self._call("sealer", {SETTLED_AFTER_SECONDS: 0})
            self._call("reconciler", {})
            self._publish_metrics()
        except (BotoCoreError, ClientError) as error:
            if not self.stopped.is_set():
                self._terminal.complain(f"not everything was uploaded: {error}")

    def _send(self) -> None:
        stack = self._stack
        planned = printed_receipts(
            RECEIPTS,
            too_large_bytes=int(stack.outputs["max_receipt_bytes"]),
            today=datetime.now(UTC).date(),
            dice=random.Random(),  # noqa: S311 (nothing secret depends on it)
        )
        role = create_role(stack.administrator, ROLE, stack.outputs["caller_policy"])
        with contextlib.ExitStack() as opened:
            people = {
                name: opened.enter_context(contextlib.closing(self._signed_in(role, name))) for name in PEOPLE
            }
            with ThreadPoolExecutor(UPLOADERS) as pool:
                for _ in pool.map(lambda sent: self._upload(people, sent), [*_samples(), *planned]):
                    pass

    def _signed_in(self, role: str, name: str) -> Aws:
        return self._stack.emulator.seen_by(take_role(self._stack.administrator, role, name))

    def _upload(self, people: Mapping[str, Aws], sent: Sent) -> None:
        if not self.stopped.is_set():
            bucket = self._stack.outputs["uploads_bucket"]
            people[sent.sender].client("s3").put_object(
                Bucket=bucket, Key=sent.upload.key, Body=sent.upload.content
            )

    def _call(self, function: str, event: Mapping[str, object]) -> None:
        self._stack.administrator.client("lambda").invoke(
            FunctionName=self._stack.outputs[function],
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )

    def _leave_dead_letter(self) -> None:
        self._stack.administrator.client("sqs").send_message(
            QueueUrl=self._stack.outputs["dead_letter_queue_url"], MessageBody=json.dumps(NOT_FROM_S3)
        )

    def _publish_metrics(self) -> None:
        """Do what CloudWatch does with the functions' logs."""
        known_until = datetime.now(UTC) - timedelta(hours=1)
        while not self.stopped.wait(METRICS_SECONDS):
            lines = [line for line in read_logs(self._stack.administrator) if line.written > known_until]
            known_until = max((line.written for line in lines), default=known_until)
            extract_metrics(self._stack.administrator, lines)


def _samples() -> list[Sent]:
    files = [file for folder in SAMPLE_FOLDERS for file in sorted(folder.iterdir())]
    return [
        Sent(sender=PEOPLE[0], upload=Planned(key=f"samples/{file.name}", content=file.read_bytes()))
        for file in files
    ]


@contextlib.contextmanager
def _running(activity: _Activity) -> Iterator[None]:
    thread = threading.Thread(target=activity.run, name="activity")
    thread.start()
    try:
        yield
    finally:
        activity.stopped.set()
        thread.join()
