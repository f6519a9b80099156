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
from functions.contract import environment, schema

MAX_SHARDS = 64
"""A page of the listing asks every shard: more would cost the reader more than a busy month gains."""

MAX_UNITS_PER_SECOND = 40_000
"""The account's default quota for one table ("Quotas in Amazon DynamoDB")."""


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


SHARDS_TAG = "ledger-shards"
"""The tag on the table that remembers how many there are, for as long as there is a table."""


def shards_hook(name: str) -> pulumi.ResourceHookBinding:
    """Have Pulumi refuse fewer shards before it changes what knows of them, in a preview as well."""
    hook = pulumi.ResourceHook(name, refuse_fewer_shards, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_update=[hook])


def refuse_fewer_shards(changed: pulumi.ResourceHookArgs) -> None:
    """Refuse fewer shards than a table or a function knows of: nobody would look into the others any more.

    The table remembers them in a tag, whatever becomes of the functions. Tables of release 0.1 have no such
    tag, but their reader has the variable.
    """
    before, after = _shards(changed.old_inputs), _shards(changed.new_inputs)
    if before is not None and after is not None and after < before:
        problem = Problem(
            name="ledgerShards",
            value=after,
            allowed=f"{before} or more: each month's entries are spread over {before} partitions, "
            "and with fewer, some would no longer be found",
        )
        refuse("these settings are not allowed", problem)


def _shards(inputs: Mapping[str, Any] | None) -> int | None:
    """Read the number from the inputs of a table or a function, if it is there and known."""
    given = inputs or {}
    variables = (given.get("environment") or {}).get("variables") or {}
    number = (given.get("tags") or {}).get(SHARDS_TAG) or variables.get(environment.LEDGER_SHARDS)
    return int(number) if isinstance(number, str) and number.isdecimal() else None


class Ledger(pulumi.ComponentResource):
    """An on-demand DynamoDB table with point-in-time recovery, encryption and the time index.

    Outputs: `table_name`, `table_arn`, `index_arn`; and `alarm_arns`, and `shards` as it was given.
    """

    def __init__(self, name: str, args: LedgerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:ledger:Ledger", name, None, opts)
        limit, key_arn = args.throughput, args.common.key_arn
        table = aws.dynamodb.Table(
            f"{name}-table",
            billing_mode="PAY_PER_REQUEST",
            hash_key=schema.FINGERPRINT,
            range_key=schema.ENTRY,
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=key, type="S")
                for key in (schema.FINGERPRINT, schema.ENTRY, schema.MONTH_SHARD, schema.RECORDED)
            ],
            global_secondary_indexes=[
                aws.dynamodb.TableGlobalSecondaryIndexArgs(
                    name=schema.TIME_INDEX,
                    key_schemas=[
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name=schema.MONTH_SHARD, key_type="HASH"
                        ),
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name=schema.RECORDED, key_type="RANGE"
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
            tags={**args.common.tags, SHARDS_TAG: str(args.shards)},
            opts=pulumi.ResourceOptions.merge(
                protected(args.common, self), pulumi.ResourceOptions(hooks=shards_hook(f"{name}-shards"))
            ),
        )
        alarms = table_alarms(table.name, schema.TIME_INDEX, args.common.alarms.thresholds)
        self.alarm_arns = create_alarms(name, alarms, args.common, self)
        self.shards = args.shards
        self.table = table
        self.table_name = table.name
        self.table_arn = table.arn
        self.index_arn = pulumi.Output.concat(table.arn, f"/index/{schema.TIME_INDEX}")
        self.register_outputs(
            {"table_name": self.table_name, "table_arn": self.table_arn, "index_arn": self.index_arn}
        )
