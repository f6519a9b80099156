"""The programs whose graphs the tests look at: the real one, and small ones over single components."""

from __future__ import annotations

import functools
import json
import runpy
from typing import Any

from components import (
    AlarmArgs,
    AlarmTopic,
    AlarmTopicArgs,
    CommonArgs,
    Dashboard,
    DashboardArgs,
    EncryptionKey,
    IamAuth,
    IngestPipeline,
    IngestPipelineArgs,
    JwtAuth,
    Ledger,
    LedgerApi,
    LedgerApiArgs,
    LedgerArgs,
    PythonLayer,
    PythonLayerArgs,
)
from tests.components.mocks import HERE, REPOSITORY, Graph, Place, run, stack_config

LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:libraries:1"
FORMER_KEYS = (
    "arn:aws:kms:eu-central-1:123456789012:key/former",
    "arn:aws:kms:eu-central-1:123456789012:key/mrk-older",
)
JWT = JwtAuth(
    issuer="https://login.example.com/",
    audiences=["bill-e"],
    read_scope="receipts:read",
    upload_scope="receipts:write",
)


def main_program() -> None:
    runpy.run_path(str(REPOSITORY / "__main__.py"), run_name="__main__")


def deployed(stack: str, *, place: Place = HERE, **settings: str) -> Graph:
    """The real program with the settings of a stack, some of them replaced."""
    config = stack_config(stack) | {f"bill-e:{key}": value for key, value in settings.items()}
    return run(main_program, config, stack, place)


def common_args(**changes: Any) -> CommonArgs:
    args: dict[str, Any] = {
        "log_retention_days": 30,
        "protect": True,
        "layers": [LAYER],
        "tags": {"team": "audit"},
    }
    return CommonArgs(**(args | changes))


def ingest_args(ledger: Ledger, **changes: Any) -> IngestPipelineArgs:
    args: dict[str, Any] = {
        "common": common_args(),
        "ledger": ledger,
        "accepted_types": ["application/pdf", "image/png"],
        "max_receipt_megabytes": 20,
    }
    return IngestPipelineArgs(**(args | changes))


def api_args(ledger: Ledger, **changes: Any) -> LedgerApiArgs:
    args: dict[str, Any] = {
        "common": common_args(),
        "ledger": ledger,
        "bucket_name": "uploads",
        "bucket_arn": "arn:aws:s3:::uploads",
        "auth": IamAuth(),
        "max_receipt_megabytes": 20,
    }
    return LedgerApiArgs(**(args | changes))


def new_ledger(name: str = "ledger", **changes: Any) -> Ledger:
    args: dict[str, Any] = {"common": common_args(), "shards": 4}
    return Ledger(name, LedgerArgs(**(args | changes)))


def ingest_graph(**changes: Any) -> Graph:
    return run(lambda: IngestPipeline("in", ingest_args(new_ledger(), **changes)))


def api_graph(**changes: Any) -> Graph:
    return run(lambda: LedgerApi("api", api_args(new_ledger(), **changes)))


def two_of_each() -> None:
    for number, auth in (("one", IamAuth()), ("two", JWT)):
        layer = PythonLayer(f"libraries-{number}", PythonLayerArgs())
        key = EncryptionKey(f"encryption-{number}", common_args())
        topic = AlarmTopic(f"alarms-{number}", AlarmTopicArgs(common=common_args()))
        common = common_args(layers=[layer.arn], key_arn=key.arn, alarms=AlarmArgs(topic_arn=topic.arn))
        ledger = new_ledger(f"ledger-{number}", common=common)
        ingest = IngestPipeline(f"in-{number}", ingest_args(ledger, common=common))
        api = LedgerApi(
            f"api-{number}",
            api_args(
                ledger,
                auth=auth,
                common=common,
                bucket_name=ingest.bucket_name,
                bucket_arn=ingest.bucket_arn,
                allowed_origins=["https://receipts.example.com"],
            ),
        )
        Dashboard(f"dashboard-{number}", DashboardArgs(ledger=ledger, ingest=ingest, api=api))


@functools.cache
def graph_of(name: str) -> Graph:
    """A graph by name, made once: the stacks, the real program with tokens, and every component twice."""
    match name:
        case "jwt":
            return deployed(
                "prod",
                apiAuth="jwt",
                jwtIssuer="https://login.example.com/",
                jwtAudience='["bill-e"]',
                allowedOrigins='["https://receipts.example.com"]',
                uploadPrefix="receipts/",
            )
        case "customer key":
            return deployed(
                "prod",
                encryption="customer-key",
                formerKeyArns=json.dumps(FORMER_KEYS),
                objectLockDays="2557",
                objectLockMode="compliance",
            )
        case "two of each":
            return run(two_of_each)
        case _:
            return deployed(name)
