"""Run a Pulumi program without an engine, and record the graph that it registers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
import yaml
from pulumi.runtime import rpc, settings, stack
from pulumi.runtime.mocks import MockMonitor

from local.deployment import take_hooks

REPOSITORY = Path(__file__).resolve().parents[2]
ACCOUNT, REGION = "123456789012", "eu-central-1"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a program is deployed, and the random digits that its resources' names get there."""

    partition: str = "aws"
    region: str = REGION
    dns_suffix: str = "amazonaws.com"
    digits: str = "0a1b2c3"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{ACCOUNT}:{resource}"


HERE = Place()
PARTITIONS = {
    "aws": HERE,
    "aws-cn": Place(partition="aws-cn", region="cn-north-1", dns_suffix="amazonaws.com.cn"),
    "aws-us-gov": Place(partition="aws-us-gov", region="us-gov-west-1"),
}
"""The names and DNS suffixes of the partitions are those in botocore's `partitions.json`."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One resource as the program registered it; `parent` and `depends_on` are URNs."""

    type: str
    name: str
    urn: str
    id: str
    parent: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    depends_on: tuple[str, ...]
    protect: bool
    retain_on_delete: bool
    ignore_changes: tuple[str, ...]
    custom: bool

    @property
    def is_component(self) -> bool:
        return not self.custom


@dataclass(frozen=True, kw_only=True)
class Graph:
    """What a program registered, in order, what it exported, and the URNs that have registered outputs."""

    resources: tuple[Registered, ...]
    exports: dict[str, Any]
    with_outputs: frozenset[str]

    def of_type(self, type_: str) -> list[Registered]:
        return [resource for resource in self.resources if resource.type == type_]

    def named(self, name: str) -> Registered:
        (found,) = (resource for resource in self.resources if resource.name == name)
        return found

    def only(self, type_: str) -> Registered:
        (found,) = self.of_type(type_)
        return found

    def waits_for(self, resource: Registered) -> set[str]:
        """The names of everything that is created before this resource, directly or not."""
        by_urn = {registered.urn: registered for registered in self.resources}
        seen: set[str] = set()
        todo = list(resource.depends_on)
        while todo:
            urn = todo.pop()
            if urn in by_urn and by_urn[urn].name not in seen:
                seen.add(by_urn[urn].name)
                todo += by_urn[urn].depends_on
        return seen

    def policies(self) -> Iterator[tuple[Registered, str, dict[str, Any]]]:
        """Every policy document: the resource that holds it, its input property, and the document."""
        for resource in self.resources:
            for key in ("policy", "assumeRolePolicy"):
                if key in resource.inputs:
                    yield resource, key, json.loads(resource.inputs[key])

    def statements(self, name: str) -> dict[str, dict[str, Any]]:
        """The statements of the policy that the resource of this name holds, by Sid."""
        document = json.loads(self.named(name).inputs["policy"])
        return {statement["Sid"]: statement for statement in document["Statement"]}


def run(
    program: Callable[[], object],
    config: Mapping[str, str] | None = None,
    stack_name: str = "test",
    place: Place = HERE,
) -> Graph:
    """Run a program to its end and return its graph; nothing of it is left for the next run."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda _loop, _context: None)
    monitor = _Recorder(_Outputs(place))
    try:
        pulumi.runtime.set_mocks(
            monitor.mocks, project="bill-e", stack=stack_name, preview=False, monitor=monitor
        )
        take_hooks()
        pulumi.runtime.set_all_config(dict(config or {}))
        exports = loop.run_until_complete(_run(program))
        return Graph(
            resources=tuple(monitor.registered),
            exports=exports,
            with_outputs=frozenset(monitor.with_outputs),
        )
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)
        pulumi.runtime.set_all_config({})
        settings.reset_options()


def stack_config(stack_name: str) -> dict[str, str]:
    """The settings in a stack's file, as Pulumi hands them to a program."""
    content = yaml.safe_load((REPOSITORY / f"Pulumi.{stack_name}.yaml").read_text())
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in content["config"].items()
    }


async def _run(program: Callable[[], object]) -> dict[str, Any]:
    async def body() -> None:
        program()

    await stack.run_pulumi_func(body)
    root = settings.get_root_resource()
    assert isinstance(root, stack.Stack)
    return dict(await pulumi.Output.all(**root.outputs).future() or {})


@contextlib.contextmanager
def _own_event_loop() -> Iterator[None]:
    """Give the worker thread that makes a call a loop, and close it: the mock monitor leaves one open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class _Recorder(MockMonitor):
    """Keeps what mocks are not shown: parents, dependencies, protection, and names that are taken twice."""

    def __init__(self, mocks: pulumi.runtime.Mocks) -> None:
        super().__init__(mocks)
        self.registered: list[Registered] = []
        self.with_outputs: set[str] = set()
        self._lock = threading.Lock()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the name is gRPC's)
        with _own_event_loop():
            return self._register(request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802 (the name is gRPC's)
        with _own_event_loop():
            return super().Invoke(request)  # type: ignore[no-untyped-call]

    def _register(self, request: Any) -> Any:
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            with self._lock:
                self.registered.append(
                    Registered(
                        type=request.type,
                        name=request.name,
                        urn=response.urn,
                        id=response.id,
                        parent=request.parent,
                        inputs=rpc.deserialize_properties(request.object),
                        outputs=rpc.deserialize_properties(response.object),
                        depends_on=tuple(request.dependencies),
                        protect=request.protect,
                        retain_on_delete=request.retainOnDelete,
                        ignore_changes=tuple(request.ignoreChanges),
                        custom=request.custom,
                    )
                )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 (the name is gRPC's)
        with self._lock:
            self.with_outputs.add(request.urn)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


class _Outputs(pulumi.runtime.Mocks):
    """Answers with the outputs that AWS would decide; a type that is not listed is an error."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if not args.custom:
            return "", {}
        module, name = args.typ.removeprefix("aws:").split("/")
        is_known = args.typ in _DECIDED or name.split(":")[1] in _UNDECIDED.get(module, ())
        assert is_known, f"{args.typ} {args.name!r}: add the outputs of this type to the mocks"
        given = (args.inputs.get(key) for key in ("name", "layerName", "dashboardName"))
        physical = next(filter(None, given), f"{args.name}-{self._place.digits}")
        decided = _DECIDED[args.typ](self._place, physical) if args.typ in _DECIDED else {}
        return physical, {**args.inputs, **decided}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        return _CALLS[args.token](self._place), []


_CALLS: dict[str, Callable[[Place], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": lambda at: {
        "accountId": ACCOUNT,
        "arn": f"arn:{at.partition}:iam::{ACCOUNT}:user/deployer",
        "id": ACCOUNT,
        "userId": "AIDAEXAMPLE",
    },
    "aws:index/getPartition:getPartition": lambda at: {
        "id": at.partition,
        "partition": at.partition,
        "dnsSuffix": at.dns_suffix,
    },
    "aws:kms/getPublicKey:getPublicKey": lambda _: {
        "publicKey": base64.b64encode(bytes.fromhex("302a300506032b6570032100") + bytes(32)).decode()
    },
    "aws:index/getRegion:getRegion": lambda at: {"id": at.region, "name": at.region, "region": at.region},
}

_DECIDED: dict[str, Callable[[Place, str], dict[str, Any]]] = {
    "aws:apigatewayv2/api:Api": lambda at, name: {
        "name": name,
        "arn": f"arn:{at.partition}:apigateway:{at.region}::/apis/{name}",
        "executionArn": at.arn("execute-api", name),
        "apiEndpoint": f"https://{name}.execute-api.{at.region}.{at.dns_suffix}",
    },
    "aws:apigatewayv2/stage:Stage": lambda at, name: {
        "invokeUrl": f"https://api-{name.strip('$')}.execute-api.{at.region}.{at.dns_suffix}/",
    },
    "aws:cloudwatch/metricAlarm:MetricAlarm": lambda at, name: {
        "name": name,
        "arn": at.arn("cloudwatch", f"alarm:{name}"),
    },
    "aws:cloudwatch/eventRule:EventRule": lambda at, name: {
        "name": name,
        "arn": at.arn("events", f"rule/{name}"),
    },
    "aws:cloudwatch/logGroup:LogGroup": lambda at, name: {
        "name": name,
        "arn": at.arn("logs", f"log-group:{name}"),
    },
    "aws:dynamodb/table:Table": lambda at, name: {"name": name, "arn": at.arn("dynamodb", f"table/{name}")},
    "aws:iam/role:Role": lambda at, name: {
        "name": name,
        "arn": f"arn:{at.partition}:iam::{ACCOUNT}:role/{name}",
        "uniqueId": f"AROA{hashlib.sha256(name.encode()).hexdigest()[:17].upper()}",
    },
    "aws:kms/key:Key": lambda at, name: {"keyId": name, "arn": at.arn("kms", f"key/{name}")},
    "aws:lambda/function:Function": lambda at, name: {
        "name": name,
        "arn": at.arn("lambda", f"function:{name}"),
    },
    "aws:lambda/layerVersion:LayerVersion": lambda at, name: {"arn": at.arn("lambda", f"layer:{name}:1")},
    "aws:s3/bucket:Bucket": lambda at, name: {"bucket": name, "arn": f"arn:{at.partition}:s3:::{name}"},
    "aws:sns/topic:Topic": lambda at, name: {"name": name, "arn": at.arn("sns", name)},
    "aws:sqs/queue:Queue": lambda at, name: {
        "name": name,
        "arn": at.arn("sqs", name),
        "url": f"https://sqs.{at.region}.{at.dns_suffix}/{ACCOUNT}/{name}",
    },
}

_UNDECIDED = {
    "apigatewayv2": ("Authorizer", "Integration", "Route"),
    "cloudwatch": ("Dashboard", "EventTarget"),
    "iam": ("RolePolicy",),
    "kms": ("Alias",),
    "lambda": ("EventSourceMapping", "Permission"),
    "s3": (
        *("BucketCorsConfiguration", "BucketLifecycleConfiguration", "BucketLogging", "BucketNotification"),
        *("BucketObjectLockConfiguration", "BucketOwnershipControls", "BucketPolicy", "BucketVersioning"),
        *("BucketPublicAccessBlock", "BucketServerSideEncryptionConfiguration"),
    ),
    "sns": ("TopicPolicy", "TopicSubscription"),
    "sqs": ("QueuePolicy", "RedriveAllowPolicy"),
}
"""Types of which AWS decides nothing that a program uses."""
