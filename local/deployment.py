"""Deploy the unmodified Pulumi program on an AWS endpoint, without the Pulumi engine.

The program registers its resources with Pulumi's mock monitor, and `local.provider` makes each one with AWS
calls and returns its real id and outputs. There is no diff, no state and no replacement: the program is
deployed once, into an empty account.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import runpy
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pulumi
import pulumi.runtime
import yaml
from pulumi.runtime import settings, stack

from local import REPOSITORY, STOPPING, LocalError
from local.aws import Aws
from local.property_values import plain
from local.provider import provider

STACK = "local"
WORKERS = 8
"""How many resources are made at the same time."""

CANCEL_SECONDS = 0.1

LOGGER = logging.getLogger(__name__)
LOGGER.addFilter(lambda record: record.levelno < logging.ERROR)
"""Pulumi's log: warnings reach stderr; errors are left out, since they are raised as well."""


def deploy(
    aws: Aws, project_folder: Path = REPOSITORY, config: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Run the program of ``project_folder`` as its stack ``local``; return its outputs, secrets opened.

    ``config`` overrides single settings of that stack.

    An interrupt cancels what is under way, and is raised again once nothing of the program runs any more.

    Raises:
        LocalError: the settings are refused, a resource cannot be made, or the program fails.

    """
    project = _read_yaml(project_folder / "Pulumi.yaml")
    stack_file = _read_yaml(project_folder / f"Pulumi.{STACK}.yaml")
    merged = {**_defaults(project), **_qualified(project, stack_file.get("config") or {}), **(config or {})}
    _check_namespaces(merged, project["name"])
    _check_region(merged, aws)

    loop = asyncio.new_event_loop()
    try:
        with _interrupts_held_back(loop) as interrupted, _workers(loop):
            mocks = _Deployment(aws)
            pulumi.runtime.set_mocks(mocks, project["name"], STACK, preview=False, logger=LOGGER)
            take_hooks()
            texts = {key: _config_text(key, value) for key, value in merged.items()}
            pulumi.runtime.set_all_config(texts)
            return loop.run_until_complete(_run_until(interrupted, project_folder / "__main__.py"))
    except Exception as error:
        raise _as_local_error(error) from error
    finally:
        pulumi.runtime.set_all_config({})
        settings.reset_options()


def take_hooks() -> None:
    """Take the hooks of the program that runs next on mocks: nothing here would call them.

    Otherwise Pulumi starts a gRPC server on which an engine would. A thread of gRPC outlives that server, and
    writes to memory that is freed if the server's event loop ends at the wrong moment.
    """
    settings.SETTINGS.callbacks = _Hooks()


class _Hooks:
    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """Take a hook."""


@contextlib.contextmanager
def _interrupts_held_back(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.Event]:
    """Set an event of ``loop`` when a signal arrives, and handle the signal as usual at the end.

    Its usual handler raises KeyboardInterrupt, anywhere: within an event loop, the next step of a task can
    get lost, which then never ends. On another thread than the main one, the event is never set.
    """
    interrupted = asyncio.Event()
    held_back: list[int] = []
    usual: dict[int, Callable[[int, FrameType | None], object]] = {}

    def hold_back(number: int, _: FrameType | None) -> None:
        held_back.append(number)
        with contextlib.suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(interrupted.set)

    try:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                handler = signal.getsignal(number)
                if callable(handler):
                    usual[number] = handler
                    signal.signal(number, hold_back)
        yield interrupted
    finally:
        for each, handler in usual.items():
            signal.signal(each, handler)
        if held_back:
            usual[held_back[0]](held_back[0], None)
            raise KeyboardInterrupt


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


async def _run_until(interrupted: asyncio.Event, program: Path) -> dict[str, Any]:
    """Run the program, and leave it where it is if ``interrupted`` is set first."""
    run = asyncio.create_task(_run(program))
    interruption = asyncio.create_task(interrupted.wait())
    await asyncio.wait({run, interruption}, return_when=asyncio.FIRST_COMPLETED)
    if not run.done():
        raise KeyboardInterrupt
    return await run


async def _run(program: Path) -> dict[str, Any]:
    async def body() -> None:
        runpy.run_path(str(program), run_name="__main__")

    await stack.run_pulumi_func(body)
    root = settings.get_root_resource()
    assert isinstance(root, stack.Stack)  # noqa: S101 (set_mocks made it)
    outputs = await pulumi.Output.all(**root.outputs).future()
    missing = sorted(name for name, value in (outputs or {}).items() if value is None)
    if missing:
        raise LocalError(f"the program's outputs {', '.join(missing)} have no value")
    return dict(outputs or {})


class _Deployment(pulumi.runtime.Mocks):
    """Makes what the program registers, on worker threads. The clients are all that it keeps."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = {name: plain(value) for name, value in args.inputs.items() if value is not None}
        if not args.custom:
            return "", inputs
        if args.resource_id:
            raise LocalError(f"{args.typ} {args.name!r}: importing an existing resource is not possible here")
        created = provider.create(self._aws, args.typ, args.name, inputs)
        return created.id, {**inputs, **created.outputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        return provider.call(self._aws, args.token, args.args), []


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise LocalError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise LocalError(f"{path} is not a mapping")
    return content


def _defaults(project: Mapping[str, Any]) -> dict[str, Any]:
    """Read the defaults that ``Pulumi.yaml`` declares for the program's own settings."""
    declared = _qualified(project, project.get("config") or {})
    return {
        key: declaration["default"]
        for key, declaration in declared.items()
        if isinstance(declaration, dict) and "default" in declaration
    }


def _qualified(project: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Give keys without a namespace that of the project."""
    return {key if ":" in key else f"{project['name']}:{key}": value for key, value in config.items()}


def _config_text(key: str, value: Any) -> str:
    """Write a setting as Pulumi's engine hands it to a program: text as it is, anything else as JSON."""
    if isinstance(value, dict) and set(value) == {"secure"}:
        raise LocalError(f"Pulumi.{STACK}.yaml: {key} is encrypted, which only the Pulumi CLI can read")
    return value if isinstance(value, str) else json.dumps(value)


def _check_namespaces(config: Mapping[str, Any], project: str) -> None:
    """Refuse settings that nothing reads. The program itself does so within the project's namespace."""
    for key in config:
        if key.partition(":")[0] not in (project, "aws"):
            raise LocalError(
                f"Pulumi.{STACK}.yaml: {key} is not a setting; settings begin with {project}: or aws:"
            )


def _check_region(config: Mapping[str, Any], aws: Aws) -> None:
    """Refuse a region that the embedded AWS isn't in. Other ``aws:`` settings are for pulumi-aws."""
    region = config.get("aws:region", aws.region)
    if region != aws.region:
        raise LocalError(f"Pulumi.{STACK}.yaml: aws:region is {region!r}; the embedded AWS is {aws.region!r}")


@contextlib.contextmanager
def _workers(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Set the event loop for Pulumi here, and others on its worker threads; close them all at the end."""
    loops = [loop]

    def start_worker() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    # The task that is awaited raises what went wrong; the others would only repeat it.
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.set_default_executor(ThreadPoolExecutor(WORKERS, initializer=start_worker))
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        while tasks := asyncio.all_tasks(loop):
            # Again and again: a task may go on after it was cancelled, to clean up or to start others.
            _cancel_all(loop)
            loop.run_until_complete(asyncio.wait(tasks, timeout=CANCEL_SECONDS))
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        for each in loops:
            each.close()


def _as_local_error(error: BaseException) -> LocalError:
    """Find the sentence that says what went wrong, anywhere in the chain of causes."""
    for cause in _causes(error):
        if isinstance(cause, LocalError | pulumi.RunError):
            return LocalError(str(cause))
    return LocalError(f"the program failed with {type(error).__name__}: {error}")


def _causes(error: BaseException) -> list[BaseException]:
    """List an error and its causes. Pulumi raises errors "from" themselves, so the chain can be a ring."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__
    return chain
