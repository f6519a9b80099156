"""Cost per million receipts.

US dollars, at the list prices of {PRICES.region} in `bench/prices.toml`, dated {PRICES.date}: check them
before you quote them. Receipts have {RECEIPT_KB} KB unless the row names another size, and batches are full.
Bill-E pays for what the naive batch doesn't have: the index that makes pages cheap, a log line for every
receipt, and metrics. Requests, units, log bytes and times with 30 ms a call are measured; CPU time is this
machine's, stretched to the share of a core that {MEMORY_MEGABYTES} MB get. We assume {NETWORK_MB_PER_SECOND}
MB/s from S3 and {PLATFORM_LOG_BYTES} bytes of Lambda's own log for an invocation. Lambda traces the first
invocation of each second and 5 % of the others, so traces cost less per receipt at a higher rate: it is
{REFERENCE_RATE:,} receipts a second unless another is given. Storage, metrics, alarms, the API and polling
an idle queue are left out. A customer key adds less than a cent, as S3 has a bucket key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.contestants import BILL_E, CONTESTANTS, RECEIPT_KB, Bench, Contestant, batch
from bench.measures.billed_time import MEMORY_MEGABYTES, Times, median, time_batch
from bench.prices import GIGABYTE, MILLION, PRICES
from bench.results import Aim, Count, FigureTable, Findings, counted
from bench.scale import CALL_SECONDS, Scale
from functions.processor.metrics import MAX_VALUES

BATCHES = (1, 2, 5, 10, 100)
OTHER_SIZES_KB = (100, 1_000, 10_000)
MEMORIES = (128, 256, 512, 1024, 1769)
RATES = (10, 100, 1_000)
"""Receipts per second."""

REFERENCE_BATCH, REFERENCE_RATE = 10, 1_000
NETWORK_MB_PER_SECOND = 75
"""What one function gets from S3: assumed, since AWS publishes no figure."""

SQS_MESSAGES_PER_REQUEST = 10
"""SQS's limit for one receive or delete, whatever the batch size of the mapping."""

PLATFORM_LOG_BYTES = 900
"""Lambda's own JSON lines for an invocation (start and report), with CloudWatch's 26 bytes each: assumed."""
LOG_EVENT_BYTES = 26

TRACES_A_SECOND, TRACED_SHARE = 1, 0.05
"""What Lambda samples: the first request of each second, and a share of the others. It can't be set."""

AIM_DOLLARS = 2.60


@dataclass(frozen=True, kw_only=True)
class PerReceipt:
    """What one receipt of a batch uses."""

    batch: int
    size_kb: int = RECEIPT_KB
    gets: float
    read_units: float
    write_units: float
    log_bytes: float
    log_lines: float
    metrics_lines: int
    times: Times

    def __str__(self) -> str:
        return (
            f"{self.gets:g} GET, {counted(self.read_units, 'read unit')}, "
            f"{counted(self.write_units, 'write unit')}, {counted(self.log_lines, 'log line')}; "
            f"{counted(self.metrics_lines, 'metrics line')} for the batch"
        )

    def billed_seconds(self, memory_megabytes: int) -> float:
        """Return the seconds that Lambda bills with so much memory."""
        return self.times.with_memory(memory_megabytes) + self.size_kb / 1000 / NETWORK_MB_PER_SECOND

    def lambda_dollars(self, memory_megabytes: int = MEMORY_MEGABYTES) -> float:
        """Price the time of a million receipts."""
        gigabytes = memory_megabytes / 1024
        return self.billed_seconds(memory_megabytes) * gigabytes * PRICES.gigabyte_second * MILLION

    def dollars(self, rate: int = REFERENCE_RATE) -> Mapping[str, float]:
        """Price a million receipts, by service."""
        each, logged = PRICES.per_million, self.log_bytes + PLATFORM_LOG_BYTES / self.batch
        beyond_put = {
            "S3 GET": self.gets * each["s3_get"],
            "SQS": (1 + 2 / min(self.batch, SQS_MESSAGES_PER_REQUEST)) * each["sqs_request"],
            "Lambda": each["lambda_request"] / self.batch + self.lambda_dollars(),
            "DynamoDB": self.write_units * each["dynamodb_write_unit"]
            + self.read_units * each["dynamodb_read_unit"],
            "logs": logged / GIGABYTE * MILLION * PRICES.log_gigabyte,
            "traces": _traced_share(rate / self.batch) / self.batch * each["xray_trace"],
        }
        return {"S3 PUT": each["s3_put"], **beyond_put, "beyond the PUT": sum(beyond_put.values())}


def measure(bench: Bench, scale: Scale) -> Findings:
    """Measure what receipts use in batches of every size, and multiply."""
    used = {size: _usage(bench, BILL_E, size, scale) for size in BATCHES}
    reference = used[REFERENCE_BATCH]
    rows = {f"Bill-E, batch {size}": usage for size, usage in used.items()}
    for size_kb in OTHER_SIZES_KB:
        extra = _times(bench, BILL_E, REFERENCE_BATCH, scale, size_kb).cpu - reference.times.cpu
        times = Times(wall=reference.times.wall + extra, cpu=reference.times.cpu + extra)
        name = f"Bill-E, batch {REFERENCE_BATCH}, {size_kb:,} KB"
        rows[name] = replace(reference, size_kb=size_kb, times=times)
    for each in CONTESTANTS:
        if each is not BILL_E:
            name = f"{each.name.partition(',')[0]}, batch {each.batch_size}"
            rows[name] = _usage(bench, each, each.batch_size, scale)
    yield FigureTable(
        {
            name: {service: f"{dollars:.2f}" for service, dollars in usage.dollars().items()}
            for name, usage in rows.items()
        }
    )
    place = f"at batch {REFERENCE_BATCH} and {RECEIPT_KB} KB"
    yield FigureTable(
        {
            f"{memory:,} MB": {
                "a batch takes": f"{reference.billed_seconds(memory) * REFERENCE_BATCH * 1000:.0f} ms",
                "Lambda's time": f"{reference.lambda_dollars(memory):.2f}",
            }
            for memory in MEMORIES
        },
        corner="memory",
        caption=f"The function's memory, {place}",
    )
    for rate in RATES:
        text = f"a million receipts {place}, beyond the PUT, at {rate:,} receipts a second"
        yield Aim(text, reference.dollars(rate)["beyond the PUT"], AIM_DOLLARS, unit=" USD")
    for size, usage in used.items():
        metrics_lines = counted(-(-size // MAX_VALUES), "metrics line")
        expected = f"1 GET, 0 read units, 2 write units, 1 log line; {metrics_lines} for the batch"
        yield Count(f"Bill-E, batch {size}: per receipt", str(usage), expected)


def _usage(bench: Bench, contestant: Contestant, size: int, scale: Scale) -> PerReceipt:
    bench.reset()
    event = batch(*bench.store_new(size))
    with bench.aws.metered() as asked:
        bench.run(contestant, event)
    log = bench.log.getvalue()
    lines = log.splitlines()
    metrics_lines = sum('"_aws"' in line for line in lines)
    return PerReceipt(
        batch=size,
        gets=asked.calls["GetObject"] / size,
        read_units=asked.read_units / size,
        write_units=asked.write_units / size,
        log_bytes=(len(log.encode()) + len(lines) * LOG_EVENT_BYTES) / size,
        log_lines=(len(lines) - metrics_lines) / size,
        metrics_lines=metrics_lines,
        times=_times(bench, contestant, size, scale, RECEIPT_KB),
    )


def _times(bench: Bench, contestant: Contestant, size: int, scale: Scale, size_kb: int) -> Times:
    with bench.aws.delayed(CALL_SECONDS):
        return median([time_batch(bench, contestant, size, size_kb) for _ in range(scale.cost_rounds)])


def _traced_share(invocations_a_second: float) -> float:
    sampled_first = min(invocations_a_second, TRACES_A_SECOND)
    return (sampled_first + TRACED_SHARE * (invocations_a_second - sampled_first)) / invocations_a_second
