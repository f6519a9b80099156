"""The host of Python programs and plugins, for the engine that we build from its Go module.

The official CLI comes with its own host, which is then used instead. This one runs a program in its own
process, with its own Python.
"""

from __future__ import annotations

import asyncio
import os
import platform
import runpy
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent import futures
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import grpc
import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from local.engine import plugin_server


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the engine's questions about Python programs; ``engine`` is the engine's address."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        # The only plugin that a program needs is on the PATH, so none has to be downloaded.
        return language_pb2.GetRequiredPackagesResponse()

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.GetProgramDependenciesResponse()

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield language_pb2.InstallDependenciesResponse(stdout=b"`make install` has installed them\n")

    def RuntimeOptionsPrompts(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.RuntimeOptionsResponse()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        folder = Path(request.info.program_directory or request.pwd)
        os.chdir(folder)
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        reset_options(
            project=request.project,
            stack=request.stack,
            organization=request.organization or "organization",
            monitor_address=request.monitor_address,
            engine_address=self._engine,
            parallel=request.parallel,
            preview=request.dryRun,
        )
        set_all_config(dict(request.config), list(request.configSecretKeys))
        return language_pb2.RunResponse(bail=not _run(folder / "__main__.py", request.parallel))

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        process = subprocess.Popen(
            [sys.executable, str(Path(request.info.program_directory or request.program)), *request.args],
            cwd=request.pwd,
            env={**os.environ, **dict(line.split("=", 1) for line in request.env)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.terminate)
        for name, text in _output(process):
            of_stream: Any = {name: text}
            yield language_pb2.RunPluginResponse(**of_stream)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def _run(program: Path, parallel: int) -> bool:
    """Run a program to its end, and tell the engine what is wrong with it."""

    def body() -> None:
        runpy.run_path(str(program), run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(futures.ThreadPoolExecutor(max_workers=max(parallel, 1) * 4))
    try:
        loop.run_until_complete(run_in_stack(body))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
    except Exception:  # noqa: BLE001 (whatever a program can raise)
        pulumi.log.error(f"Program failed with an unhandled exception:\n{traceback.format_exc()}")
    else:
        return True
    finally:
        loop.close()
    return False


def _output(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield what a process prints, as it comes: the name of the stream and some bytes."""
    printed: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    def pump(name: str, stream: IO[bytes]) -> None:
        while text := os.read(stream.fileno(), 65536):
            printed.put((name, text))
        printed.put((name, b""))

    streams = {"stdout": process.stdout, "stderr": process.stderr}
    for name, stream in streams.items():
        threading.Thread(target=pump, args=(name, stream), daemon=True).start()
    ended = 0
    while ended < len(streams):
        name, text = printed.get()
        if text:
            yield name, text
        else:
            ended += 1


def main() -> None:
    """Serve the engine, whose address is the last argument."""
    host = LanguageHost(engine=sys.argv[-1])
    plugin_server.serve(lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server))


if __name__ == "__main__":
    main()
