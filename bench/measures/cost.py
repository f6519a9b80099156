"""What a million receipts cost, by service: measured requests, units, CPU and log bytes times list prices."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, product

from bench.contestants import BILL_E, Bench
from bench.events import Context, UploadedFile, sqs_batch
from bench.prices import GIGABYTE, MILLION, Prices, read_prices
from bench.receipts import png
from bench.results import Aim, Count, Result, Table
from bench.scale import Scale
from bench.simulated_aws.s3 import StoredObject
from bench.wording import counted
from components import IngestPipelineArgs

BATCHES = (1, 10, 100)
FILLED = (1, 2, 5, 10)
"""How many messages there may be for a batch of 10, depending on what arrives within its window."""
SIZES_KB = (100, 200, 1_000, 10_000)

MEMORY_MEGABYTES = IngestPipelineArgs.memory_megabytes
MEMORIES = (128, 256, 512, 1024, 1769)

MEGABYTES_OF_A_VCPU = 1769
"""Lambda gives a full vCPU at 1,769 MB, and less in proportion (developer guide, "Configure memory")."""

CALL_SECONDS = 0.030
"""How long a call to S3 or DynamoDB takes, as in the measure of billed time."""

NETWORK_BYTES_PER_SECOND = 75_000_000
"""What one function gets from S3: assumed, AWS publishes no figure."""

THREADS = 10
"""Messages that the processor works on at the same time."""

SQS_MESSAGES_PER_REQUEST = 10
"""SQS's limit for one receive or delete, whatever the batch size of the mapping."""

PLATFORM_LOG_BYTES = 900
"""Lambda's own JSON log lines for one invocation (start and report), with CloudWatch's 26 bytes for each."""
LOG_EVENT_BYTES = 26

VALUES_PER_METRICS_LINE = 100
"""Where a line in CloudWatch's embedded metric format is full, and written."""

TRACED_SHARE = 0.05
"""X-Ray's default sampling, besides the first request of each second."""

AIM_DOLLARS = 2.60


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one receipt of a batch uses, as measured."""

    gets: float
    write_units: float
    log_bytes: float
    log_lines: float
    metrics_lines: int


def measure(bench: Bench, scale: Scale) -> Result:
    """Measure what receipts use in batches of every size, and multiply."""
    prices, seeds = read_prices(), count()
    usage = {batch: _usage(bench, batch, seeds) for batch in sorted({*BATCHES, *FILLED})}
    cpu = {size: _cpu_seconds(bench, size, scale, seeds) for size in SIZES_KB}
    costs = {
        (batch, size): _dollars(prices, usage[batch], batch, size, cpu[size])
        for batch, size in product(usage, SIZES_KB)
    }
    reference = costs[10, 200]
    by_memory = {memory: _billed_seconds(10, 200_000, cpu[200], memory) for memory in MEMORIES}
    return Result(
        name="cost",
        title="Cost per million receipts",
        method=(
            f"US dollars, at the list prices of {prices.region} in `bench/prices.toml`, dated "
            f"{prices.date}: check them before quoting. Requests, write units, CPU time and log bytes are "
            f"measured; Lambda's time is computed from them: {CALL_SECONDS * 1000:.0f} ms a "
            f"call, {NETWORK_BYTES_PER_SECOND // MILLION} MB/s from S3 (assumed), and a full core's CPU "
            f"time stretched to the share of a vCPU that the memory gets, {MEMORY_MEGABYTES} MB unless said "
            "otherwise. Traces are X-Ray's default 5 % of "
            "invocations. Left out: storage, metrics and alarms, the API, and what an idle queue's polling "
            "costs, which doesn't depend on receipts. With a customer key and bucket keys, KMS is asked "
            "once in minutes, not per receipt; without them, once per PUT and once per GET (AWS "
            "documentation, not measured)."
        ),
        tables=[
            Table(
                columns=["batch, size", *reference, "beyond the PUT", "customer key, no bucket key"],
                rows=[
                    [
                        f"{batch}, {size:,} KB",
                        *(f"{dollars:.2f}" for dollars in cost.values()),
                        f"**{_beyond_put(cost):.2f}**",
                        f"{_beyond_put(cost) + 2 * prices.per_million['kms_request']:.2f}",
                    ]
                    for (batch, size), cost in costs.items()
                    if batch in BATCHES
                ],
            ),
            Table(
                caption="How full batches are, at 200 KB",
                columns=["messages in a batch", *map(str, FILLED)],
                rows=[["beyond the PUT", *(f"{_beyond_put(costs[batch, 200]):.2f}" for batch in FILLED)]],
            ),
            Table(
                caption="The function's memory, at batch 10 and 200 KB",
                columns=["memory", "a batch takes", "billed per receipt", "Lambda's time"],
                rows=[
                    [
                        f"{memory:,} MB",
                        f"{seconds * 10 * 1000:.0f} ms",
                        f"{seconds * 1000:.1f} ms",
                        f"{_lambda_dollars(prices, seconds, memory):.2f}",
                    ]
                    for memory, seconds in by_memory.items()
                ],
            ),
        ],
        aims=[
            Aim(
                text="a million receipts of 200 KB at batch 10, beyond the PUT",
                figure=_beyond_put(reference),
                limit=AIM_DOLLARS,
                unit=" USD",
            )
        ],
        counts=[
            Count(
                text=f"{BILL_E.name}, batch {batch}: per receipt",
                actual=(
                    f"{used.gets:g} GET, {counted(used.write_units, 'write unit')}, "
                    f"{counted(used.log_lines, 'log line')}; "
                    f"{counted(used.metrics_lines, 'metrics line')} for the batch"
                ),
                expected=(
                    "1 GET, 2 write units, 1 log line; "
                    f"{counted(-(-batch // VALUES_PER_METRICS_LINE), 'metrics line')} for the batch"
                ),
            )
            for batch, used in usage.items()
        ],
    )


def _usage(bench: Bench, batch: int, seeds: count[int]) -> Usage:
    event = _batch_of_new(bench, batch, 1, seeds)
    with bench.aws.metered() as asked:
        bench.run(BILL_E, event, Context())
    log = bench.log.getvalue()
    lines = log.splitlines()
    metrics = [line for line in lines if '"_aws"' in line]
    return Usage(
        gets=asked.calls["s3:GetObject"] / batch,
        write_units=asked.write_units / batch,
        log_bytes=(len(log.encode()) + len(lines) * LOG_EVENT_BYTES) / batch,
        log_lines=(len(lines) - len(metrics)) / batch,
        metrics_lines=len(metrics),
    )


def _cpu_seconds(bench: Bench, size_kb: int, scale: Scale, seeds: count[int]) -> float:
    """Return the least CPU time per receipt in a batch of 10: anything above it is the machine's doing."""
    taken = []
    for _ in range(scale.rounds):
        event = _batch_of_new(bench, 10, size_kb, seeds)
        started = time.process_time()
        bench.run(BILL_E, event, Context())
        taken.append((time.process_time() - started) / 10)
    return min(taken)


def _batch_of_new(bench: Bench, batch: int, size_kb: int, seeds: count[int]) -> dict[str, object]:
    bench.reset()
    files = []
    for _ in range(batch):
        seed = next(seeds)
        file = UploadedFile(key=f"receipts/2026/11/21/{seed}.png", version_id=f"3sL4kqtJlcpXroDTDmJ{seed}")
        bench.aws.s3.objects[file.key, file.version_id] = StoredObject(body=png(size_kb * 1000, seed))
        files.append(file)
    return sqs_batch(files)


def _dollars(
    prices: Prices, usage: Usage, batch: int, size_kb: int, cpu_seconds: float
) -> Mapping[str, float]:
    """Return the dollars for a million receipts, by service."""
    each = prices.per_million
    return {
        "S3 PUT": each["s3_put"],
        "S3 GET": usage.gets * each["s3_get"],
        "SQS": (1 + 2 / min(batch, SQS_MESSAGES_PER_REQUEST)) * each["sqs_request"],
        "Lambda": each["lambda_request"] / batch
        + _lambda_dollars(prices, _billed_seconds(batch, size_kb * 1000, cpu_seconds), MEMORY_MEGABYTES),
        "DynamoDB": usage.write_units * each["dynamodb_write_unit"],
        "logs, traces": (usage.log_bytes + PLATFORM_LOG_BYTES / batch)
        / GIGABYTE
        * MILLION
        * prices.log_gigabyte
        + TRACED_SHARE / batch * each["xray_trace"],
    }


def _billed_seconds(
    batch: int, size_bytes: int, cpu_seconds: float, memory_megabytes: int = MEMORY_MEGABYTES
) -> float:
    """Return a receipt's share of an invocation: waiting in rounds of threads, and what they can't share."""
    waiting = -(-batch // THREADS) * 2 * CALL_SECONDS / batch
    computing = cpu_seconds * MEGABYTES_OF_A_VCPU / memory_megabytes
    return waiting + size_bytes / NETWORK_BYTES_PER_SECOND + computing


def _lambda_dollars(prices: Prices, seconds: float, memory_megabytes: int) -> float:
    """Return the dollars for a million times so many seconds."""
    return seconds * memory_megabytes / 1024 * prices.gigabyte_second * MILLION


def _beyond_put(cost: Mapping[str, float]) -> float:
    return sum(cost.values()) - cost["S3 PUT"]
