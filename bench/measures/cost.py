"""What a million receipts cost, by service: what is measured of each, times list prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from bench.contestants import BILL_E, CONTESTANTS, MEMORY_MEGABYTES, NAIVE_BATCH, Bench, Contestant
from bench.events import Context, sqs_batch
from bench.measures.billed_time import Times, median, time_batch
from bench.prices import GIGABYTE, MILLION, Prices, read_prices
from bench.results import Aim, Count, Result, Table
from bench.scale import CALL_SECONDS, Scale
from bench.wording import counted
from functions.processor.metrics import MAX_VALUES

BATCHES = (1, 10, 100)
FILLED = (1, 2, 5, 10)
"""How many messages there may be for a batch of 10, depending on what arrives within its window."""
SIZES_KB = (100, 200, 1_000, 10_000)
REFERENCE_BATCH, REFERENCE_KB = 10, 200
MEMORIES = (128, 256, 512, 1024, 1769)
RATES = (10, 100, 1_000)
"""Receipts per second."""
REFERENCE_RATE = 1_000

NETWORK_BYTES_PER_SECOND = 75_000_000
"""What one function gets from S3: assumed, AWS publishes no figure."""

SQS_MESSAGES_PER_REQUEST = 10
"""SQS's limit for one receive or delete, whatever the batch size of the mapping."""

PLATFORM_LOG_BYTES = 900
"""Lambda's own JSON lines for an invocation (start and report), with CloudWatch's 26 bytes each: assumed."""
LOG_EVENT_BYTES = 26

TRACES_A_SECOND, TRACED_SHARE = 1, 0.05
"""What Lambda samples: the first request of each second, and a share of the others. It can't be set."""

KEYS_ASKED, KEY_PERIOD_SECONDS = 3, 300
"""S3's bucket key, SQS's data key and DynamoDB's table key are used again for minutes."""

AIM_DOLLARS = 2.60

Dollars = Mapping[str, float]
"""For a million receipts, by service."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one receipt of a batch uses, as measured with receipts of `REFERENCE_KB`."""

    gets: float
    read_units: float
    write_units: float
    log_bytes: float
    log_lines: float
    metrics_lines: int
    times: Times


def measure(bench: Bench, scale: Scale) -> Result:
    """Measure what receipts use in batches of every size, and multiply."""
    prices, seeds = read_prices(), count()
    usage = {batch: _usage(bench, BILL_E, batch, scale, seeds) for batch in sorted({*BATCHES, *FILLED})}
    # Larger receipts differ in CPU time: measured in batches of 10, of which 100 receipts are ten.
    extra_cpu = {
        size: _times(bench, BILL_E, REFERENCE_BATCH, size, scale, seeds).cpu
        - usage[REFERENCE_BATCH].times.cpu
        for size in SIZES_KB
    }
    others = [contestant for contestant in CONTESTANTS if contestant is not BILL_E]
    beside = {each.name: _usage(bench, each, each.batch_size, scale, seeds) for each in others}

    def dollars(batch: int, size_kb: int = REFERENCE_KB, rate: int = REFERENCE_RATE) -> Dollars:
        return _dollars(prices, usage[batch], batch, size_kb, extra_cpu[size_kb], rate)

    reference = dollars(REFERENCE_BATCH)
    compared = {
        f"Bill-E, batch {REFERENCE_BATCH}": reference,
        **{
            (each.name if each is NAIVE_BATCH else f"{each.name}, batch {each.batch_size}"): _dollars(
                prices, beside[each.name], each.batch_size, REFERENCE_KB, 0.0, REFERENCE_RATE
            )
            for each in others
        },
    }
    return Result(
        name="cost",
        title="Cost per million receipts",
        method=(
            f"US dollars, at the list prices of {prices.region} in `bench/prices.toml`, dated "
            f"{prices.date}: check them before quoting. Requests, units, log bytes and times with "
            f"{CALL_SECONDS * 1000:.0f} ms a call are measured; CPU time, that of this machine, is stretched "
            f"to the share of a core that {MEMORY_MEGABYTES} MB get. Assumed are "
            f"{NETWORK_BYTES_PER_SECOND // MILLION} MB/s from S3 and {PLATFORM_LOG_BYTES} bytes of Lambda's "
            "own log for an invocation. Lambda traces the first invocation of each second and 5 % of the "
            f"others, so that traces depend on the rate: {REFERENCE_RATE:,} receipts a second unless another "
            "is named. Left out: storage, metrics and alarms, the API, and what an idle queue's polling "
            f"costs. With a customer key, {KEYS_ASKED} services ask KMS once in {KEY_PERIOD_SECONDS // 60} "
            "minutes each (AWS documentation, not measured), as S3 has a bucket key; without that, S3 would "
            "ask for each PUT and each GET, which is another column."
        ),
        tables=[
            _size_table(
                prices,
                {f"{batch}, {size:,} KB": dollars(batch, size) for batch in BATCHES for size in SIZES_KB},
            ),
            Table(
                caption=(
                    f"Beside the others, at {REFERENCE_KB} KB. Bill-E pays for what the naive batch does not "
                    "have: the index that makes pages cheap, a log line for every receipt, and metrics"
                ),
                columns=["", *reference, "beyond the PUT"],
                rows=[[name, *_cells(cost)] for name, cost in compared.items()],
            ),
            Table(
                caption=f"How full batches are, at {REFERENCE_KB} KB",
                columns=["messages in a batch", *map(str, FILLED)],
                rows=[["beyond the PUT", *(f"{_beyond_put(dollars(batch)):.2f}" for batch in FILLED)]],
            ),
            Table(
                caption=f"How many receipts there are, at batch {REFERENCE_BATCH} and {REFERENCE_KB} KB",
                columns=["receipts per second", *(f"{rate:,}" for rate in RATES)],
                rows=[
                    [
                        name,
                        *(f"{figure(dollars(REFERENCE_BATCH, rate=rate)):.2f}" for rate in RATES),
                    ]
                    for name, figure in (
                        ("traces", lambda cost: cost["traces"]),
                        ("beyond the PUT", _beyond_put),
                    )
                ],
            ),
            _memory_table(prices, usage[REFERENCE_BATCH].times),
        ],
        aims=[
            Aim(
                text=(
                    f"a million receipts of {REFERENCE_KB} KB at batch {REFERENCE_BATCH}, beyond the PUT, at "
                    f"{rate:,} receipts a second"
                ),
                figure=_beyond_put(dollars(REFERENCE_BATCH, rate=rate)),
                limit=AIM_DOLLARS,
                unit=" USD",
            )
            for rate in RATES
        ],
        counts=[
            Count(
                text=f"{BILL_E.name}, batch {batch}: per receipt",
                actual=_sentence(used),
                expected=(
                    "1 GET, 0 read units, 2 write units, 1 log line; "
                    f"{counted(-(-batch // MAX_VALUES), 'metrics line')} for the batch"
                ),
            )
            for batch, used in usage.items()
        ],
    )


def _usage(bench: Bench, contestant: Contestant, batch: int, scale: Scale, seeds: count[int]) -> Usage:
    bench.reset()
    event = sqs_batch(bench.store_new(batch, REFERENCE_KB * 1000, seeds))
    with bench.aws.metered() as asked:
        bench.run(contestant, event, Context())
    log = bench.log.getvalue()
    lines = log.splitlines()
    metrics = [line for line in lines if '"_aws"' in line]
    return Usage(
        gets=asked.calls["s3:GetObject"] / batch,
        read_units=asked.read_units / batch,
        write_units=asked.write_units / batch,
        log_bytes=(len(log.encode()) + len(lines) * LOG_EVENT_BYTES) / batch,
        log_lines=(len(lines) - len(metrics)) / batch,
        metrics_lines=len(metrics),
        times=_times(bench, contestant, batch, REFERENCE_KB, scale, seeds),
    )


def _times(
    bench: Bench, contestant: Contestant, batch: int, size_kb: int, scale: Scale, seeds: count[int]
) -> Times:
    with bench.aws.delayed(CALL_SECONDS):
        return median(
            [
                time_batch(bench, contestant, batch, seeds, size_bytes=size_kb * 1000)
                for _ in range(scale.cost_rounds)
            ]
        )


def _sentence(used: Usage) -> str:
    return (
        f"{used.gets:g} GET, {counted(used.read_units, 'read unit')}, "
        f"{counted(used.write_units, 'write unit')}, {counted(used.log_lines, 'log line')}; "
        f"{counted(used.metrics_lines, 'metrics line')} for the batch"
    )


def _dollars(prices: Prices, usage: Usage, batch: int, size_kb: int, extra_cpu: float, rate: int) -> Dollars:
    each = prices.per_million
    times = Times(wall=usage.times.wall + extra_cpu, cpu=usage.times.cpu + extra_cpu)
    logged = usage.log_bytes + PLATFORM_LOG_BYTES / batch
    return {
        "S3 PUT": each["s3_put"],
        "S3 GET": usage.gets * each["s3_get"],
        "SQS": (1 + 2 / min(batch, SQS_MESSAGES_PER_REQUEST)) * each["sqs_request"],
        "Lambda": each["lambda_request"] / batch
        + _lambda_dollars(prices, _billed_seconds(times, size_kb, MEMORY_MEGABYTES), MEMORY_MEGABYTES),
        "DynamoDB": usage.write_units * each["dynamodb_write_unit"]
        + usage.read_units * each["dynamodb_read_unit"],
        "logs": logged / GIGABYTE * MILLION * prices.log_gigabyte,
        "traces": _traced_share(rate / batch) / batch * each["xray_trace"],
    }


def _billed_seconds(times: Times, size_kb: int, memory_megabytes: int) -> float:
    return times.with_memory(memory_megabytes) + size_kb * 1000 / NETWORK_BYTES_PER_SECOND


def _lambda_dollars(prices: Prices, seconds: float, memory_megabytes: int) -> float:
    """Return the dollars for a million times so many seconds."""
    return seconds * memory_megabytes / 1024 * prices.gigabyte_second * MILLION


def _traced_share(invocations_a_second: float) -> float:
    sampled_first = min(invocations_a_second, TRACES_A_SECOND)
    return (sampled_first + TRACED_SHARE * (invocations_a_second - sampled_first)) / invocations_a_second


def _beyond_put(cost: Dollars) -> float:
    return sum(cost.values()) - cost["S3 PUT"]


def _cells(cost: Dollars) -> list[str]:
    return [*(f"{dollars:.2f}" for dollars in cost.values()), f"**{_beyond_put(cost):.2f}**"]


def _size_table(prices: Prices, costs: Mapping[str, Dollars]) -> Table:
    request = prices.per_million["kms_request"]
    with_key = KEYS_ASKED / (KEY_PERIOD_SECONDS * REFERENCE_RATE) * request
    return Table(
        columns=[
            "batch, size",
            *next(iter(costs.values())),
            "beyond the PUT",
            "with a customer key",
            "without its bucket key",
        ],
        rows=[
            [
                name,
                *_cells(cost),
                f"{_beyond_put(cost) + with_key:.2f}",
                f"{_beyond_put(cost) + 2 * request:.2f}",
            ]
            for name, cost in costs.items()
        ],
    )


def _memory_table(prices: Prices, times: Times) -> Table:
    seconds = {memory: _billed_seconds(times, REFERENCE_KB, memory) for memory in MEMORIES}
    return Table(
        caption=f"The function's memory, at batch {REFERENCE_BATCH} and {REFERENCE_KB} KB",
        columns=["memory", "a batch takes", "billed per receipt", "Lambda's time"],
        rows=[
            [
                f"{memory:,} MB",
                f"{each * REFERENCE_BATCH * 1000:.0f} ms",
                f"{each * 1000:.1f} ms",
                f"{_lambda_dollars(prices, each, memory):.2f}",
            ]
            for memory, each in seconds.items()
        ],
    )
