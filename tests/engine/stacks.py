"""A stack as users of `pulumi` have it: the real CLI and engine, each time on a new embedded AWS."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import REPOSITORY
from local.aws import Aws
from local.emulator.process import Emulator
from local.engine import command, tools
from tests.local.eventually import eventually
from tests.local.processes import processes_of_session, send
from tests.protected_types import HOLD_DATA

PROGRAM = ("__main__.py", "Pulumi.yaml", "components", "functions", "package", "requirements.txt")
"""What a deployment reads: settings files are the test's own."""

DATA_TYPES = {*HOLD_DATA, "aws:kms/key:Key"}
"""What holds data or what data is encrypted with, and must outlive every change of a setting."""

TIMEOUT_SECONDS = 180


@functools.cache
def _cli() -> Path:
    return tools.find_pulumi()


def copy_program(target: Path) -> Path:
    """Copy the program, so that the CLI, which writes settings files, leaves those of the project alone."""
    for name in PROGRAM:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    # The layer's archive is built once for all.
    (target / ".build").symlink_to(REPOSITORY / ".build")
    (target / ".venv").symlink_to(REPOSITORY / ".venv")
    return target


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the engine did to one resource: its own word for it, such as ``create`` or ``replace``."""

    operation: str
    type: str
    name: str
    changed: tuple[str, ...] = ()
    retained: bool = False
    """Of a delete: the resource stays, and Pulumi only forgets it."""

    def __str__(self) -> str:
        return f"{self.operation} {self.type} {self.name}{f' {list(self.changed)}' if self.changed else ''}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A command of the CLI that has ended: its exit code, what it printed, and the engine's steps."""

    code: int
    stdout: str
    stderr: str
    steps: tuple[Step, ...] = ()

    @property
    def text(self) -> str:
        return self.stdout + self.stderr

    def changes(self) -> list[Step]:
        """The steps that change a resource; of a replacement, the one that says so."""
        unchanged = {"same", "read", "refresh", "create-replacement", "delete-replaced", "discard"}
        return [
            step
            for step in self.steps
            if step.operation not in unchanged and not step.type.startswith("pulumi:")
        ]

    def counts(self) -> Counter[str]:
        return Counter(step.operation for step in self.changes())


@dataclass(frozen=True, kw_only=True)
class Started:
    """A command of the CLI that is running, in a session of its own together with its plugins."""

    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Kill the CLI, so that it can clean nothing up, and hold that its plugins then end by themselves."""
        self.process.kill()
        self.process.wait()
        eventually("no plugin without its CLI", lambda: not processes_of_session(self.process.pid))


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The CLI, the program and the embedded AWS; `environment` adds variables for the plugins."""

    emulator: Emulator
    program: Path
    state: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)

    @property
    def aws(self) -> Aws:
        return self.emulator.administrator

    def variables(self) -> dict[str, str]:
        pulumi = _cli()
        key = self.emulator.administrator.key
        description = {
            "endpoint_url": self.emulator.endpoint_url,
            "region": self.emulator.administrator.region,
            "ca_bundle": str(self.emulator.administrator.ca_bundle),
            "administrator_access_key_id": key.id,
            "administrator_secret_access_key": key.secret,
        }
        environment = command.pulumi_environment(os.environ, pulumi, self.state, description)
        if self.plugins:
            command.install_plugins(self.state / "plugins", pulumi, self.plugins)
        return {**environment, "PULUMI_DEBUG_COMMANDS": "true", **self.environment}

    @contextlib.contextmanager
    def start(self, *arguments: str) -> Iterator[Started]:
        """Start a command of the CLI. At the end of the context, nothing of it runs any more."""
        said = self.state / f"{uuid.uuid4().hex}.said"
        with said.open("wb") as file:
            process = subprocess.Popen(
                [str(_cli()), *arguments, "--non-interactive", "--color=never"],
                cwd=self.program,
                env=self.variables(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            yield Started(process=process)
        except BaseException as error:
            error.add_note(f"pulumi {' '.join(arguments)} has said:\n{said.read_text()}")
            raise
        finally:
            # The engine puts each plugin into a process group of its own, but leaves it in the session.
            send(signal.SIGKILL, processes_of_session(process.pid))
            process.wait()

    def run(self, *arguments: str) -> Run:
        """Run a command of the CLI to its end, in the program's folder."""
        result = subprocess.run(
            [str(_cli()), *arguments, "--non-interactive", "--color=never"],
            cwd=self.program,
            env=self.variables(),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        return Run(code=result.returncode, stdout=result.stdout, stderr=result.stderr)

    def stack(self, name: str = "local", settings: Mapping[str, Any] | None = None) -> Stack:
        """Make a stack, with settings beside those that every stack here has."""
        stack = Stack(engine=self, name=name)
        stack.configure(**(settings or {}))
        made = self.run("stack", "init", name)
        assert made.code == 0, made.text
        return stack


SETTINGS: Mapping[str, Any] = {
    "aws:region": "us-east-1",
    "bill-e:protectData": False,
    "bill-e:logRetentionDays": 30,
    "bill-e:batchWindowSeconds": 0,
    "bill-e:maxConcurrency": 2,
}


@dataclass(frozen=True, kw_only=True)
class Stack:
    engine: Engine
    name: str

    @property
    def settings_file(self) -> Path:
        return self.engine.program / f"Pulumi.{self.name}.yaml"

    def configure(self, **settings: Any) -> None:
        """Write the stack's settings: JSON is YAML. A setting of None is left out."""
        salt = [
            line
            for line in (self.settings_file.read_text().splitlines() if self.settings_file.exists() else [])
            if line.startswith("encryptionsalt:")
        ]
        qualified = {key if ":" in key else f"bill-e:{key}": value for key, value in settings.items()}
        merged = {key: value for key, value in {**SETTINGS, **qualified}.items() if value is not None}
        self.settings_file.write_text("\n".join([f"config: {json.dumps(merged)}", *salt, ""]))

    def up(self, *flags: str) -> Run:
        return self._update("up", "--yes", "--skip-preview", *flags)

    def preview(self, *flags: str) -> Run:
        return self._update("preview", *flags)

    def refresh(self, *flags: str) -> Run:
        return self._update(
            "refresh", *([] if "--preview-only" in flags else ["--yes", "--skip-preview"]), *flags
        )

    def destroy(self, *flags: str) -> Run:
        return self._update("destroy", "--yes", *flags)

    def command(self, *arguments: str) -> Run:
        return self.engine.run(*arguments, f"--stack={self.name}")

    def start(self, *arguments: str) -> contextlib.AbstractContextManager[Started]:
        return self.engine.start(*arguments, f"--stack={self.name}")

    def outputs(self) -> dict[str, Any]:
        shown = self.command("stack", "output", "--json", "--show-secrets")
        assert shown.code == 0, shown.text
        outputs: dict[str, Any] = json.loads(shown.stdout)
        return outputs

    def export(self) -> dict[str, Any]:
        exported = self.command("stack", "export", "--show-secrets")
        assert exported.code == 0, exported.text
        state: dict[str, Any] = json.loads(exported.stdout)
        return state

    def load(self, state: Mapping[str, Any]) -> None:
        """Make this state, of a stack of any name, that of this stack."""
        target = self.engine.state / f"{uuid.uuid4().hex}.json"
        target.write_text(json.dumps(state))
        loaded = self.command("stack", "import", "--file", str(target), "--force")
        assert loaded.code == 0, loaded.text

    def resources(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.export()["deployment"].get("resources", [])
        return found

    def _update(self, *arguments: str) -> Run:
        log = self.engine.state / f"{uuid.uuid4().hex}.events"
        run = self.command(*arguments, f"--event-log={log}")
        steps = _steps(log) if log.exists() else ()
        return Run(code=run.code, stdout=run.stdout, stderr=run.stderr, steps=steps)


def _steps(log: Path) -> tuple[Step, ...]:
    """Read the steps in the log of events that the engine keeps; an update logs one as it begins it."""
    steps = []
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if begun := event.get("resourcePreEvent"):
            metadata = begun["metadata"]
            steps.append(
                Step(
                    operation=metadata["op"],
                    type=metadata["type"],
                    name=metadata["urn"].split("::", 3)[3],
                    changed=tuple(sorted((metadata.get("detailedDiff") or {}).keys())),
                    retained=bool((metadata.get("old") or {}).get("retainOnDelete")),
                )
            )
    return tuple(steps)


def physical_ids(resources: Sequence[Mapping[str, Any]], types: set[str]) -> dict[str, str]:
    """URN's last part to id, for resources of these types."""
    return {each["urn"].split("::", 3)[3]: each["id"] for each in resources if each["type"] in types}
