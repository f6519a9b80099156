"""``python -m local soak``: a mixed load with faults and redeliveries, after which nothing may be missing."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import ssl
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from cli.errors import BillEError
from cli.operator.reconciliation import ReconcileTotals, compare_stack, judge
from cli.operator.redrive import follow_move, start_move
from cli.operator.resources import StackResources, open_resources
from cli.screen.terminal import Row, Terminal
from cli.stack import parse_access
from functions.contract import schema
from functions.contract.entry import Entry, ObjectVersion, Outcome
from local import LocalError
from local.embedded_stack import EmbeddedStack, running_stack
from local.emulator.faults import FIGURES_PATH, FaultFigures
from local.queues import depth, processor_held, redelivery_after
from local.workload import Planned, plan

FAULT_SHARE = 0.05
UPLOADERS = 16
MAX_RECEIPT_BYTES = 1024 * 1024

CONFIG = {
    "bill-e:maxReceiptMegabytes": 1,
    "bill-e:maxConcurrency": 4,
}

REDELIVERY_SECONDS = 65
"""Instead of six function time-outs, which would take too long. A missing object gets its entry two function
time-outs after it was found to be missing, at the third of five deliveries, so only its message can run out
of deliveries because of faults and become a dead letter."""

DRAIN_TIMEOUT_SECONDS = 420.0
SHOWN_MISTAKES = 5


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The result of a load: entries by outcome, what `bill-e reconcile` says, and the dead letters left.

    `mistakes` are sentences, one for each object version without an entry or with a wrong one.
    """

    outcomes: Mapping[str, int]
    totals: ReconcileTotals
    dead_letters: int
    mistakes: Sequence[str]

    @property
    def verdict(self) -> str | None:
        """Say what is wrong, unless every upload has exactly its right entry and no message is left over."""
        totals, wrong = self.totals, len(self.mistakes)
        if totals.complete and totals.confirmed and not wrong and not self.dead_letters:
            return None
        return "; ".join(
            [
                f"{totals.missing} missing, {totals.repeated} recorded more than once, "
                f"{wrong} without the right entry, {self.dead_letters} dead letters",
                *self.mistakes[:SHOWN_MISTAKES],
            ]
        )


def soak(uploads: int) -> None:
    """Deploy a stack, put it under load, compare its bucket with its ledger, and print figures.

    Raises:
        LocalError: something cannot be started, or the ledger is not complete and right.

    """
    terminal = Terminal.over(sys.stdout, sys.stderr)
    dice = random.Random()  # noqa: S311 (nothing secret depends on it)
    planned = plan(uploads, too_large_bytes=MAX_RECEIPT_BYTES, dice=dice)
    terminal.complain("starting an embedded AWS with faults, and deploying the program on it")
    with running_stack(config=CONFIG, fault_share=FAULT_SHARE) as stack:
        access = parse_access(stack.description(), "the embedded AWS")
        started = time.monotonic()
        try:
            with open_resources(access) as resources:
                with redelivery_after(stack, REDELIVERY_SECONDS):
                    uploaded = put_under_load(stack, planned, terminal)
                    redriven = drain(stack, resources, terminal)
                seconds = time.monotonic() - started
                findings = compare(stack, resources, uploaded, terminal)
        except BillEError as error:
            raise LocalError(f"the soak failed: {error}") from error
        terminal.fields(_figures(len(uploaded), redriven, findings, read_faults(stack), seconds))
    if findings.verdict:
        raise LocalError(f"the soak found that the ledger is wrong: {findings.verdict}")


def put_under_load(
    stack: EmbeddedStack, planned: Sequence[Planned], terminal: Terminal
) -> Mapping[ObjectVersion, Planned]:
    """Upload everything. What is to be deleted comes first, and waits in the queue until it is deleted."""
    vanishing = [one for one in planned if one.vanishes]
    others = [one for one in planned if not one.vanishes]
    uploaded: dict[ObjectVersion, Planned] = {}
    with terminal.counting("uploaded", len(planned)) as advance, ThreadPoolExecutor(UPLOADERS) as pool:

        def upload(some: Sequence[Planned]) -> None:
            versions = pool.map(lambda one: _upload(stack, one), some)
            for version, one in zip(versions, some, strict=True):
                uploaded[version] = one
                advance(1)

        with processor_held(stack):
            upload(vanishing)
        upload(others)
    return uploaded


def drain(stack: EmbeddedStack, resources: StackResources, terminal: Terminal) -> int:
    """Wait until the queues are empty, redrive dead letters once as operators do, and return how many."""
    _wait_until_empty(stack, terminal)
    dead_letters = resources.dead_letter_queue()
    if dead_letters.waiting:
        start_move(resources.sqs, dead_letters, resources.resend_queue())
        for _ in follow_move(resources.sqs, dead_letters):
            pass
        _wait_until_empty(stack, terminal)
    return dead_letters.waiting


def compare(
    stack: EmbeddedStack,
    resources: StackResources,
    uploaded: Mapping[ObjectVersion, Planned],
    terminal: Terminal,
) -> Findings:
    """Compare the ledger with what was uploaded, once the queue is empty."""
    with compare_stack(resources, "", terminal.counting) as compared:
        totals = judge(compared, timedelta(0)).totals
    entries = list(_entries(stack))
    outcomes = Counter(f"{entry.outcome} {entry.reason or ''}".strip() for entry in entries)
    return Findings(
        outcomes=dict(sorted(outcomes.items())),
        totals=totals,
        dead_letters=depth(stack, "dead_letter_queue_url").total,
        mistakes=list(_mistakes(uploaded, entries)),
    )


def read_faults(stack: EmbeddedStack) -> FaultFigures:
    """Ask an emulator that was started with faults which it has injected so far."""
    aws = stack.caller
    context = ssl.create_default_context(cafile=str(aws.ca_bundle))
    connection = http.client.HTTPSConnection(urlsplit(aws.endpoint_url).netloc, timeout=60, context=context)
    try:
        connection.request("GET", FIGURES_PATH)
        return FaultFigures(**json.loads(connection.getresponse().read()))
    finally:
        connection.close()


def _upload(stack: EmbeddedStack, planned: Planned) -> ObjectVersion:
    bucket = stack.outputs["uploads_bucket"]
    stored = stack.caller.client("s3").put_object(Bucket=bucket, Key=planned.key, Body=planned.content)
    version = ObjectVersion(bucket=bucket, key=planned.key, version_id=stored["VersionId"])
    if planned.vanishes:
        stack.administrator.client("s3").delete_object(
            Bucket=bucket, Key=version.key, VersionId=version.version_id
        )
    return version


def _wait_until_empty(stack: EmbeddedStack, terminal: Terminal) -> None:
    terminal.complain("waiting for the queues to be empty")
    deadline = time.monotonic() + DRAIN_TIMEOUT_SECONDS
    while left := depth(stack).total + depth(stack, "resend_queue_url").total:
        if time.monotonic() > deadline:
            raise LocalError(f"after {DRAIN_TIMEOUT_SECONDS:.0f} s, {left} messages are still in the queues")
        time.sleep(0.5)


def _entries(stack: EmbeddedStack) -> Iterator[Entry]:
    pages = stack.administrator.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=stack.outputs["ledger_table"], ConsistentRead=True):
        for item in page["Items"]:
            if not schema.is_note(item):
                yield schema.from_item(item)


def _mistakes(uploaded: Mapping[ObjectVersion, Planned], entries: Sequence[Entry]) -> Iterator[str]:
    """Say which entries are wrong, given what was uploaded; only uses the program's model of an entry."""
    by_version = {entry.upload.version: entry for entry in entries}
    first = {entry.fingerprint: entry for entry in entries if entry.outcome is Outcome.ACCEPTED}
    for version, planned in uploaded.items():
        entry = by_version.pop(version, None)
        fingerprint = hashlib.sha256(planned.content).hexdigest()
        if entry is None:
            yield f"{version.key!r} has no entry"
        elif entry.reason is not planned.reason:
            yield f"{version.key!r} is {entry.outcome} {entry.reason}, not {planned.reason or 'accepted'}"
        elif planned.reason is None and entry.fingerprint != fingerprint:
            yield f"{version.key!r} has the fingerprint {entry.fingerprint}"
        elif planned.reason is None and fingerprint not in first:
            yield f"{version.key!r} is {entry.outcome}, and nothing with its bytes is accepted"
        elif entry.outcome is Outcome.DUPLICATE and entry.duplicate_of != first[fingerprint].upload.version:
            yield f"{version.key!r} is a duplicate of {entry.duplicate_of}, which was not the first"
    yield from (f"{version.key!r} has an entry but was never uploaded" for version in by_version)


def _figures(uploads: int, redriven: int, findings: Findings, faults: FaultFigures, seconds: float) -> Row:
    """Write the figures as text, by name."""
    totals = findings.totals
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in faults.kinds.items())
    return {
        "uploads": f"{uploads:,} in {seconds:.0f} s until the queue was empty",
        "outcomes": ", ".join(f"{count:,} {outcome}" for outcome, count in findings.outcomes.items()),
        "faults injected": f"{faults.faults:,} in {faults.calls:,} calls to S3 and DynamoDB "
        f"({faults.faults / max(faults.calls, 1):.1%}), {faults.lasting:,} of them in every attempt: {kinds}",
        "redeliveries": f"{faults.repeated:,} messages delivered once more",
        "dead letters": f"{redriven:,} redriven, {findings.dead_letters:,} left",
        "reconcile": f"{totals.versions:,} versions, {totals.recorded:,} recorded, "
        f"{totals.repeated:,} more than once",
        "wrong": f"{len(findings.mistakes):,}",
        "missing": f"{totals.missing:,}",
    }
