"""AWS requests and DynamoDB units for one receipt: new, duplicate, rejected, delivered again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.contestants import BILL_E, CONTESTANTS, Bench, Contestant
from bench.events import Context, UploadedFile, s3_message, sqs_batch, sqs_event
from bench.receipts import NOT_A_RECEIPT, png
from bench.results import Count, Result, Table
from bench.simulated_aws.s3 import StoredObject
from bench.simulated_aws.transport import Usage
from bench.wording import counted

EXPECTED = {
    "new": "1 GetObject + 1 PutItem, 2 write units",
    "duplicate": "1 GetObject + 2 PutItem, 3 write units",
    "rejected": "1 GetObject + 1 PutItem, 2 write units",
    "redelivered": "1 GetObject + 1 PutItem, 1 write unit",
    "two in a message": "2 GetObject + 2 PutItem, 4 write units",
}
"""What Bill-E asks of AWS. A refused write costs a unit; a write to the table and its index costs two."""

TWO_UPLOADS = ("duplicate", "two in a message")

FILE = UploadedFile(key="receipts/2026/11/21/coffee shop.png")
COPY = UploadedFile(key="receipts/2026/11/21/coffee shop (copy).png")

OTHER = UploadedFile(key="receipts/2026/11/21/taxi.png")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What happens: files that were uploaded, those delivered before, and those in the message now."""

    objects: Mapping[UploadedFile, bytes]
    before: tuple[UploadedFile, ...] = ()
    now: tuple[UploadedFile, ...] = (FILE,)


CASES: Mapping[str, Case] = {
    "new": Case(objects={FILE: png(200_000)}),
    "duplicate": Case(objects={FILE: png(200_000), COPY: png(200_000)}, before=(FILE,), now=(COPY,)),
    "rejected": Case(objects={FILE: NOT_A_RECEIPT}),
    "redelivered": Case(objects={FILE: png(200_000)}, before=(FILE,)),
    "two in a message": Case(objects={FILE: png(200_000), OTHER: png(200_000, 1)}, now=(FILE, OTHER)),
}


def measure(bench: Bench) -> Result:
    """Count each contestant's calls and units in each case."""
    seen = {
        (contestant.name, name): _usage(bench, contestant, case)
        for contestant in CONTESTANTS
        for name, case in CASES.items()
    }
    return Result(
        name="requests",
        title="Requests and units per receipt",
        method=(
            "One message with one upload of 200 KB, or with two. Calls are counted where botocore would send "
            "them, units by DynamoDB's rules for the items written. *Entries* is what the contestant's "
            "table holds afterwards: one that has fewer entries than there were uploads has lost an upload. "
            "Powertools says nothing about how items are keyed: that of *idempotency* is the naive one's."
        ),
        tables=[
            Table(
                columns=["", *CASES, *(f"entries, {name}" for name in TWO_UPLOADS)],
                rows=[
                    [
                        contestant.name,
                        *(_sentence(seen[contestant.name, name][0]) for name in CASES),
                        *(f"{seen[contestant.name, name][1]} of 2" for name in TWO_UPLOADS),
                    ]
                    for contestant in CONTESTANTS
                ],
            )
        ],
        counts=[
            Count(
                text=f"{BILL_E.name}, {name}",
                actual=_sentence(seen[BILL_E.name, name][0]),
                expected=EXPECTED[name],
            )
            for name in CASES
        ],
    )


def _usage(bench: Bench, contestant: Contestant, case: Case) -> tuple[Usage, int]:
    """Run a case, and return what its last delivery asked of AWS, and how many entries there are then."""
    bench.reset()
    for file, body in case.objects.items():
        bench.aws.s3.objects[file.key, file.version_id] = StoredObject(body=body)
    for file in case.before:
        bench.run(contestant, sqs_batch([file]), Context())
    with bench.aws.metered() as usage:
        bench.run(contestant, sqs_event([s3_message(*case.now)]), Context())
    return usage, len(bench.aws.dynamodb.tables[contestant.table].items)


def _sentence(usage: Usage) -> str:
    calls = " + ".join(
        f"{times} {call.partition(':')[2]}" for call, times in sorted(usage.calls.items(), key=_order)
    )
    read = f", {counted(usage.read_units, 'read unit')}" if usage.read_units else ""
    return f"{calls}, {counted(usage.write_units, 'write unit')}{read}"


def _order(call: tuple[str, int]) -> tuple[bool, str]:
    return not call[0].startswith("s3:"), call[0]
