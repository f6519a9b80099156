"""Sealing the ledger: cost per million receipts, and a minute's backlog in one run.

US dollars at the list prices of {PRICES.region} in `bench/prices.toml`, dated {PRICES.date}. At a rate,
entries are recorded and the sealer runs each minute, for {scale.sealing_minutes} minutes and then for the
sweeps of the same entries, hours and days later. Calls and units are counted, and CPU time is this machine's,
stretched to the share of a core that {MEMORY_MEGABYTES:,} MB get. We assume {CALL_MS:.0f} ms for each call,
of which {PARALLEL} are made at the same time. Storage is left out: a million leaves have about 0.4 GB. The
backlog has {scale.sealing_backlog:,} entries; 60,000 are a minute at 1,000 a second. Its run is a process of
its own; entries are made while they are read. Its time is CPU time, stretched in the same way, and its memory
is the peak (VmHWM).
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from bench.contestants import Bench
from bench.prices import MILLION, PRICES
from bench.processes import peak_kilobytes
from bench.results import Aim, Count, FigureTable, Findings
from bench.scale import CALL_SECONDS, Scale
from components.transparency_log import TransparencyLogArgs
from functions.contract import schema
from functions.contract.entry import format_time
from functions.sealer.log_bucket import THREADS as PARALLEL
from functions.sealer.sealer import SWEEPS
from tests.functions.examples import entry
from tests.functions.sealer.memory import MemoryDynamoDb, MemoryS3
from tests.functions.sealer.sealed_ledger import SHARDS, START, Calls, SealedLedger

MEMORY_MEGABYTES = TransparencyLogArgs.memory_megabytes
WHOLE_CORE_MEGABYTES = 1_769
"""AWS Lambda Developer Guide, "Configure Lambda function memory"."""

CALL_MS = CALL_SECONDS * 1000
RATES = (1, 10, 100)
REFERENCE_RATE = 100

CALLS_OF_A_RUN = "1 get_item, 5 get_object, 52 put_object, 6 query, 1 sign, 1 update_item"
"""It reads and swaps the lock, and writes 24 bundles, 25 tiles, what is staged, and the checkpoint twice."""

AIM_DOLLARS = 0.15
AIM_SECONDS = 60
AIM_MEGABYTES = MEMORY_MEGABYTES * 0.75


def measure(_bench: Bench, scale: Scale) -> Findings:
    """Price what is counted at each rate, and seal the backlog."""
    prices = {rate: _dollars(rate, scale.sealing_minutes) for rate in RATES}
    yield FigureTable(
        {
            f"{rate:,} a second": {what: f"{dollars:.3f}" for what, dollars in of_rate.items()}
            for rate, of_rate in prices.items()
        },
        corner="for a million",
    )
    total = prices[REFERENCE_RATE]["in all"]
    yield Aim(f"a million receipts at {REFERENCE_RATE} a second", total, AIM_DOLLARS, unit=" USD")
    calls = _calls_of_a_run(REFERENCE_RATE * 60)
    yield Count(f"a run at {REFERENCE_RATE} a second: calls", calls, CALLS_OF_A_RUN)
    backlog = scale.sealing_backlog
    command = [sys.executable, "-m", __name__, str(backlog)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    seconds = told["cpu"] * WHOLE_CORE_MEGABYTES / MEMORY_MEGABYTES
    yield Aim(f"{backlog:,} entries in one run: time", seconds, AIM_SECONDS, unit=" s")
    yield Aim(f"{backlog:,} entries in one run: memory", told["peak"] / 1024, AIM_MEGABYTES, unit=" MB")
    yield Count(f"{backlog:,} entries in one run: sealed", str(told["sealed"]), str(backlog))


def _dollars(rate: int, minutes: int) -> dict[str, float]:
    """Seal what is recorded in some minutes, with the sweeps, and price it for a million."""
    ledger, calls = SealedLedger(), Calls()
    sealer = ledger.new_sealer(calls)
    number = rate * 60
    began, runs = time.process_time(), 0
    recording = 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        for _ in range(minutes):
            before = time.process_time()
            ledger.record(number, ago=timedelta(seconds=40))
            recording += time.process_time() - before
            ledger.later()
            ledger.run(sealer)
            runs += 1
        cpu = time.process_time() - began - recording
        for after in SWEEPS.values():
            ledger.now = START + after + timedelta(hours=2)
            before = time.process_time()
            ledger.run(sealer)
            cpu += time.process_time() - before
    made = Counter(call.split()[0] for call in calls.made)
    waits = (made["put_object"] + made["get_object"]) / PARALLEL + 6 * runs
    seconds = cpu * WHOLE_CORE_MEGABYTES / MEMORY_MEGABYTES + waits * CALL_SECONDS
    each = PRICES.per_million
    found = {
        "PUT": made["put_object"] * each["s3_put"],
        "GET": made["get_object"] * each["s3_get"],
        "DynamoDB": ledger.dynamodb.read_units * each["dynamodb_read_unit"]
        + ledger.dynamodb.write_units * each["dynamodb_write_unit"],
        "KMS": made["sign"] * each["kms_sign"],
        "Lambda": seconds * MEMORY_MEGABYTES / 1024 * PRICES.gigabyte_second * MILLION
        + runs * (each["lambda_request"] + each["xray_trace"]),
    }
    per_million = {what: dollars / (number * minutes) for what, dollars in found.items()}
    return {**per_million, "in all": sum(per_million.values())}


def _calls_of_a_run(entries: int) -> str:
    """Seal so many entries twice, and count the calls of the second time, when there is a log already."""
    ledger, calls = SealedLedger(), Calls()
    sealer = ledger.new_sealer(calls)
    with contextlib.redirect_stdout(io.StringIO()):
        for _ in range(2):
            ledger.record(entries, ago=timedelta(seconds=40))
            ledger.later()
            calls.made.clear()
            ledger.run(sealer)
    made = Counter(call.split()[0] for call in calls.made)
    return ", ".join(f"{number} {call}" for call, number in sorted(made.items()))


class _Backlog(MemoryDynamoDb):
    """A ledger whose entries are made while they are read."""

    def __init__(self, entries: int) -> None:
        super().__init__()
        self._entries = entries

    def query(self, **request: Any) -> Any:
        values = request["ExpressionAttributeValues"]
        month, _, shard = values[":partition"]["S"].partition("#")
        began = START - timedelta(minutes=2)
        if month != f"{began:%Y-%m}" or values[":until"]["S"] < format_time(began):
            return {"Items": []}
        first = int(request["ExclusiveStartKey"]["number"]["N"]) if "ExclusiveStartKey" in request else 0
        numbers = range(first + int(shard), self._entries, SHARDS)[: request["Limit"]]
        found = [
            schema.to_item(entry(f"receipts/{each:08}.png", began + timedelta(milliseconds=each)), SHARDS)
            for each in numbers
        ]
        after = numbers[-1] + SHARDS - int(shard) if len(numbers) == request["Limit"] else None
        next_key = {"LastEvaluatedKey": {"number": {"N": str(after)}}} if after is not None else {}
        return {"Items": found, **next_key}


class _Forgetful(MemoryS3):
    """A bucket that keeps nothing large."""

    def put_object(self, *, Key: str, Body: bytes, **request: Any) -> Any:  # noqa: N803 (AWS's names)
        kept = Body if Key.startswith("checkpoint") else b""
        return super().put_object(Key=Key, Body=kept, **request)


def _seal_backlog(entries: int) -> None:
    ledger = SealedLedger()
    ledger.dynamodb, ledger.s3 = _Backlog(entries), _Forgetful()
    sealer = ledger.new_sealer()
    began = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        told = ledger.run(sealer)
    figures = {"cpu": time.process_time() - began, "peak": peak_kilobytes(), "sealed": told["sealed"]}
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    _seal_backlog(int(sys.argv[1]))
