"""Ledger: the table that keeps one entry for every upload, and its time index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from components.alarms import create_alarms, table_alarms
from components.checks import Problem, between, refuse
from components.common import CommonArgs, protected

MAX_SHARDS = 64
"""A page of the listing asks every shard: more would cost the reader more than a busy month gains."""

MAX_UNITS_PER_SECOND = 40_000
"""The account's default quota for one table ("Quotas in Amazon DynamoDB")."""

TIME_INDEX = "by_recorded_time"
"""The index's name and below the keys, as `functions/ledger/schema.py` has them (a test holds them equal)."""
TABLE_KEYS = ("fingerprint", "entry")
INDEX_KEYS = ("month_shard", "recorded")


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """The most units a second that on-demand capacity scales to, for the table and for the index each.

    What asks for more is throttled and comes back, instead of being paid for without a limit.
    """

    read_units: int = 4_000
    write_units: int = 1_000

    def __post_init__(self) -> None:
        refuse(
            "Throughput",
            between("read_units", self.read_units, 1, MAX_UNITS_PER_SECOND),
            between("write_units", self.write_units, 1, MAX_UNITS_PER_SECOND),
        )


@dataclass(frozen=True, kw_only=True)
class LedgerArgs:
    """What a ledger is made of.

    `shards` is how many partitions a month has in the time index. It can be raised later, but never lowered
    (`refuse_fewer_shards`).
    """

    common: CommonArgs
    shards: int
    throughput: Throughput = field(default_factory=Throughput)

    def __post_init__(self) -> None:
        refuse("LedgerArgs", between("shards", self.shards, 1, MAX_SHARDS))


SHARDS_VARIABLE = "LEDGER_SHARDS"
"""The variable that tells a function how many shards a month has."""


def refuse_fewer_shards(function: pulumi.ResourceHookArgs) -> None:
    """Refuse to tell a function of fewer shards than it knows: it would no longer look into the others.

    Run before the function is updated, also in a preview. Pulumi's state holds the highest number there ever
    was, since a lower one never gets past this.
    """
    before, after = _shards(function.old_inputs), _shards(function.new_inputs)
    if before is not None and after is not None and after < before:
        problem = Problem(
            name="ledgerShards",
            value=after,
            allowed=f"{before} or more: entries lie in {before} partitions of each month, "
            "and those beyond the new number would no longer be found",
        )
        refuse("these settings are not allowed", problem)


def _shards(inputs: Mapping[str, Any] | None) -> int | None:
    """Read the number from a function's inputs, if it is there and known."""
    try:
        return int((inputs or {})["environment"]["variables"][SHARDS_VARIABLE])
    except (KeyError, TypeError, ValueError):
        return None


class Ledger(pulumi.ComponentResource):
    """An on-demand DynamoDB table with point-in-time recovery, encryption and the time index.

    Outputs: `table_name`, `table_arn`, `index_arn`; and `alarm_arns`, and `shards` as it was given.
    """

    def __init__(self, name: str, args: LedgerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:ledger:Ledger", name, None, opts)
        (index_hash, index_range), (table_hash, table_range) = INDEX_KEYS, TABLE_KEYS
        limit, key_arn = args.throughput, args.common.key_arn
        table = aws.dynamodb.Table(
            f"{name}-table",
            billing_mode="PAY_PER_REQUEST",
            hash_key=table_hash,
            range_key=table_range,
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=key, type="S") for key in (*TABLE_KEYS, *INDEX_KEYS)
            ],
            global_secondary_indexes=[
                aws.dynamodb.TableGlobalSecondaryIndexArgs(
                    name=TIME_INDEX,
                    key_schemas=[
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name=index_hash, key_type="HASH"
                        ),
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name=index_range, key_type="RANGE"
                        ),
                    ],
                    projection_type="ALL",
                    on_demand_throughput=aws.dynamodb.TableGlobalSecondaryIndexOnDemandThroughputArgs(
                        max_read_request_units=limit.read_units, max_write_request_units=limit.write_units
                    ),
                )
            ],
            on_demand_throughput=aws.dynamodb.TableOnDemandThroughputArgs(
                max_read_request_units=limit.read_units, max_write_request_units=limit.write_units
            ),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(
                # Not enabled doesn't mean not encrypted: it means a key that AWS owns.
                enabled=key_arn is not None,
                kms_key_arn=key_arn,
            ),
            deletion_protection_enabled=args.common.protect,
            tags=args.common.tags,
            opts=protected(args.common, self),
        )
        alarms = table_alarms(table.name, TIME_INDEX, args.common.alarms.thresholds)
        self.alarm_arns = create_alarms(name, alarms, args.common, self)
        self.shards = args.shards
        self.table_name = table.name
        self.table_arn = table.arn
        self.index_arn = pulumi.Output.concat(table.arn, f"/index/{TIME_INDEX}")
        self.register_outputs(
            {"table_name": self.table_name, "table_arn": self.table_arn, "index_arn": self.index_arn}
        )
