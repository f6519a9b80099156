"""Cost per million receipts.

US dollars, at the list prices of {PRICES.region} in `bench/prices.toml`, dated {PRICES.date}: check them
before you quote them. Requests, units, log bytes and times with 30 ms a call are measured. CPU time is this
machine's, stretched to the share of a core that {MEMORY_MEGABYTES} MB get. We assume {NETWORK_MB_PER_SECOND}
MB/s from S3 and {PLATFORM_LOG_BYTES} bytes of Lambda's own log for an invocation. Lambda traces the first
invocation of each second and 5 % of the others, so the cost of traces depends on the rate, which is
{REFERENCE_RATE:,} receipts a second unless another is given. Left out are storage, metrics and alarms, the
API, and polling an idle queue. A customer key adds less than a cent, as S3 has a bucket key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, islice

from bench.contestants import BILL_E, CONTESTANTS, NAIVE_BATCH, Bench, Contestant, batch
from bench.measures.billed_time import MEMORY_MEGABYTES, Times, median, time_batch
from bench.prices import GIGABYTE, MILLION, PRICES
from bench.results import Aim, Count, Findings, Table, counted, table_of
from bench.scale import CALL_SECONDS, Scale
from functions.processor.metrics import MAX_VALUES

BATCHES = (1, 10, 100)
FILLED = (1, 2, 5, 10)
"""How many messages there may be for a batch of 10, depending on what arrives within its window."""
SIZES_KB = (100, 200, 1_000, 10_000)
REFERENCE_BATCH, REFERENCE_KB, REFERENCE_RATE = 10, 200, 1_000
MEMORIES = (128, 256, 512, 1024, 1769)
RATES = (10, 100, 1_000)
"""Receipts per second."""

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
BEYOND_PUT = "beyond the PUT"

Dollars = Mapping[str, float]
"""For a million receipts, by service."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one receipt of a batch uses, as measured with receipts of `REFERENCE_KB`."""

    batch: int
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

    def billed_seconds(self, memory: int, size_kb: int = REFERENCE_KB, extra_cpu: float = 0.0) -> float:
        """Return the seconds that Lambda bills with so much memory; larger receipts take extra CPU time."""
        times = Times(wall=self.times.wall + extra_cpu, cpu=self.times.cpu + extra_cpu)
        return times.with_memory(memory) + size_kb / 1000 / NETWORK_MB_PER_SECOND

    def dollars(
        self, *, size_kb: int = REFERENCE_KB, extra_cpu: float = 0.0, rate: int = REFERENCE_RATE
    ) -> Dollars:
        """Price a million receipts."""
        each, seconds = PRICES.per_million, self.billed_seconds(MEMORY_MEGABYTES, size_kb, extra_cpu)
        logged = self.log_bytes + PLATFORM_LOG_BYTES / self.batch
        return {
            "S3 PUT": each["s3_put"],
            "S3 GET": self.gets * each["s3_get"],
            "SQS": (1 + 2 / min(self.batch, SQS_MESSAGES_PER_REQUEST)) * each["sqs_request"],
            "Lambda": each["lambda_request"] / self.batch + _lambda_dollars(seconds, MEMORY_MEGABYTES),
            "DynamoDB": self.write_units * each["dynamodb_write_unit"]
            + self.read_units * each["dynamodb_read_unit"],
            "logs": logged / GIGABYTE * MILLION * PRICES.log_gigabyte,
            "traces": _traced_share(rate / self.batch) / self.batch * each["xray_trace"],
        }


def measure(bench: Bench, scale: Scale) -> Findings:
    """Measure what receipts use in batches of every size, and multiply."""
    seeds = count()
    usage = {size: _usage(bench, BILL_E, size, scale, seeds) for size in sorted({*BATCHES, *FILLED})}
    reference = usage[REFERENCE_BATCH]
    # Larger receipts differ in CPU time: measured in batches of 10, of which 100 receipts are ten.
    extra_cpu = {
        size_kb: _times(bench, BILL_E, REFERENCE_BATCH, size_kb, scale, seeds).cpu - reference.times.cpu
        for size_kb in SIZES_KB
    }
    of_sizes = {
        f"{size}, {size_kb:,} KB": usage[size].dollars(size_kb=size_kb, extra_cpu=extra_cpu[size_kb])
        for size in BATCHES
        for size_kb in SIZES_KB
    }
    beside = {f"Bill-E, batch {REFERENCE_BATCH}": reference.dollars()}
    for each in CONTESTANTS:
        if each is not BILL_E:
            name = each.name if each is NAIVE_BATCH else f"{each.name}, batch {each.batch_size}"
            beside[name] = _usage(bench, each, each.batch_size, scale, seeds).dollars()
    at_rates = {f"{rate:,}": reference.dollars(rate=rate) for rate in RATES}
    place = f"at batch {REFERENCE_BATCH} and {REFERENCE_KB} KB"
    beside_caption = (
        f"Beside the others, at {REFERENCE_KB} KB. Bill-E pays for what the naive batch does not have: the "
        "index that makes pages cheap, a log line for every receipt, and metrics"
    )
    return Findings(
        tables=[
            _dollar_table(of_sizes, first="batch, size"),
            _dollar_table(beside, caption=beside_caption),
            Table(
                caption=f"How full batches are, at {REFERENCE_KB} KB",
                columns=["messages in a batch", *map(str, FILLED)],
                rows={BEYOND_PUT: [f"{_beyond_put(usage[size].dollars()):.2f}" for size in FILLED]},
            ),
            table_of(
                {f"{memory:,} MB": (memory, reference.billed_seconds(memory)) for memory in MEMORIES},
                {
                    "a batch takes": lambda billed: f"{billed[1] * REFERENCE_BATCH * 1000:.0f} ms",
                    "billed per receipt": lambda billed: f"{billed[1] * 1000:.1f} ms",
                    "Lambda's time": lambda billed: f"{_lambda_dollars(billed[1], billed[0]):.2f}",
                },
                first="memory",
                caption=f"The function's memory, {place}",
            ),
        ],
        aims=[
            Aim(
                f"a million receipts {place}, {BEYOND_PUT}, at {rate} receipts a second",
                _beyond_put(cost),
                AIM_DOLLARS,
                unit=" USD",
            )
            for rate, cost in at_rates.items()
        ],
        counts=[
            Count(
                f"Bill-E, batch {size}: per receipt",
                str(used),
                "1 GET, 0 read units, 2 write units, 1 log line; "
                f"{counted(-(-size // MAX_VALUES), 'metrics line')} for the batch",
            )
            for size, used in usage.items()
        ],
    )


def _usage(bench: Bench, contestant: Contestant, size: int, scale: Scale, seeds: count[int]) -> Usage:
    bench.reset()
    event = batch(*([each] for each in bench.store_new(islice(seeds, size), REFERENCE_KB * 1000)))
    with bench.aws.metered() as asked:
        bench.run(contestant, event)
    log = bench.log.getvalue()
    lines = log.splitlines()
    metrics_lines = sum('"_aws"' in line for line in lines)
    return Usage(
        batch=size,
        gets=asked.calls["GetObject"] / size,
        read_units=asked.read_units / size,
        write_units=asked.write_units / size,
        log_bytes=(len(log.encode()) + len(lines) * LOG_EVENT_BYTES) / size,
        log_lines=(len(lines) - metrics_lines) / size,
        metrics_lines=metrics_lines,
        times=_times(bench, contestant, size, REFERENCE_KB, scale, seeds),
    )


def _times(
    bench: Bench, contestant: Contestant, size: int, size_kb: int, scale: Scale, seeds: count[int]
) -> Times:
    with bench.aws.delayed(CALL_SECONDS):
        return median([time_batch(bench, contestant, size, size_kb, seeds) for _ in range(scale.cost_rounds)])


def _lambda_dollars(seconds: float, memory_megabytes: int) -> float:
    """Return the dollars for a million times so many seconds."""
    return seconds * memory_megabytes / 1024 * PRICES.gigabyte_second * MILLION


def _traced_share(invocations_a_second: float) -> float:
    sampled_first = min(invocations_a_second, TRACES_A_SECOND)
    return (sampled_first + TRACED_SHARE * (invocations_a_second - sampled_first)) / invocations_a_second


def _beyond_put(cost: Dollars) -> float:
    return sum(cost.values()) - cost["S3 PUT"]


def _dollar_table(costs: Mapping[str, Dollars], *, first: str = "", caption: str = "") -> Table:
    rows = {
        name: [*(f"{dollars:.2f}" for dollars in cost.values()), f"**{_beyond_put(cost):.2f}**"]
        for name, cost in costs.items()
    }
    services = next(iter(costs.values()))
    return Table(columns=[first, *services, BEYOND_PUT], rows=rows, caption=caption)
