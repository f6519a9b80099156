"""The programs whose graphs the tests look at: the real one, and small ones with single components."""

from __future__ import annotations

import functools
import json
import runpy
from collections.abc import Mapping
from typing import Any

from components.alarm_topic import AlarmTopic
from components.dashboard import Dashboard, DashboardArgs
from components.encryption_key import EncryptionKey
from components.ingest_pipeline import IngestPipeline, IngestPipelineArgs
from components.ledger import Ledger, LedgerArgs
from components.ledger_api import LedgerApi, LedgerApiArgs
from components.python_layer import PythonLayer
from components.reconciler import Reconciler, ReconcilerArgs
from components.stack_args import StackArgs
from components.transparency_log import TransparencyLog, TransparencyLogArgs
from tests.components.mocks import HERE, REPOSITORY, Graph, Place, run, stack_config

LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:libraries:1"
FORMER_KEYS = (
    "arn:aws:kms:eu-central-1:123456789012:key/former",
    "arn:aws:kms:eu-central-1:123456789012:key/mrk-older",
)
TAGS = {"team": "audit"}
JWT: dict[str, Any] = {
    "api_auth": "jwt",
    "jwt_issuer": "https://login.example.com/",
    "jwt_audience": ["bill-e"],
}


def main_program() -> None:
    runpy.run_path(str(REPOSITORY / "__main__.py"), run_name="__main__")


def deployed(stack: str, *, place: Place = HERE, **settings: str) -> Graph:
    """The real program with the settings of a stack, some of them replaced."""
    config = stack_config(stack) | {f"bill-e:{key}": value for key, value in settings.items()}
    return run(main_program, config, stack, place)


def stack_args(**changes: Any) -> StackArgs:
    args: dict[str, Any] = {
        "instance": "test",
        "layers": [LAYER],
        "key_arn": None,
        "alarm_topic_arn": "arn:aws:sns:eu-central-1:123456789012:alarms",
        "tags": TAGS,
        "log_retention_days": 30,
    }
    return StackArgs(**(args | changes))


def new_ledger(name: str = "ledger", **changes: Any) -> Ledger:
    args: dict[str, Any] = {"stack": stack_args()}
    return Ledger(name, LedgerArgs(**(args | changes)))


def ingest_args(ledger: Ledger, **changes: Any) -> IngestPipelineArgs:
    args: dict[str, Any] = {
        "stack": stack_args(),
        "ledger": ledger,
        "accepted_types": ["application/pdf", "image/png"],
    }
    return IngestPipelineArgs(**(args | changes))


def api_args(ingest: IngestPipeline, **changes: Any) -> LedgerApiArgs:
    args = ingest.args
    log = {"log_bucket": "log", "log_bucket_arn": "arn:aws:s3:::log"}
    return LedgerApiArgs(stack=args.stack, ledger=args.ledger, ingest=ingest, **(log | changes))


def ingest_graph(**changes: Any) -> Graph:
    return run(lambda: IngestPipeline("in", ingest_args(new_ledger(), **changes)))


def api_graph(
    of_ingest: Mapping[str, Any] | None = None, of_ledger: Mapping[str, Any] | None = None, **changes: Any
) -> Graph:
    """An API over a pipeline that `of_ingest` changes, and a ledger that `of_ledger` changes."""

    def program() -> None:
        ledger = new_ledger(**(of_ledger or {}))
        ingest = IngestPipeline("in", ingest_args(ledger, **(of_ingest or {})))
        LedgerApi("api", api_args(ingest, **changes))

    return run(program)


def two_of_each() -> None:
    for number, auth in (("one", {}), ("two", JWT)):
        key = EncryptionKey(f"encryption-{number}", TAGS)
        topic = AlarmTopic(f"alarms-{number}", "", TAGS)
        layer = PythonLayer(f"libraries-{number}", "test")
        stack = stack_args(layers=[layer.arn], key_arn=key.arn, alarm_topic_arn=topic.arn)
        origins = ["https://receipts.example.com"]
        ledger = new_ledger(f"ledger-{number}", stack=stack)
        log_args = TransparencyLogArgs(stack=stack, ledger=ledger, recording_seconds=60)
        log = TransparencyLog(f"log-{number}", log_args)
        ingest = IngestPipeline(
            f"in-{number}",
            ingest_args(ledger, stack=stack, allowed_origins=origins, log_bucket=log.bucket),
        )
        of_log = {"log_bucket": log.bucket.name, "log_bucket_arn": log.bucket.arn}
        api = LedgerApi(f"api-{number}", api_args(ingest, **of_log, **auth))
        reconciler_args = ReconcilerArgs(stack=stack, ledger=ledger, ingest=ingest)
        reconciler = Reconciler(f"reconciler-{number}", reconciler_args)
        shown = DashboardArgs(ledger=ledger, log=log, ingest=ingest, api=api, reconciler=reconciler)
        Dashboard(f"dashboard-{number}", shown)


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
