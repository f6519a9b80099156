"""Finding and building the programs that come from Go modules: ``python -m local.engine.tools``.

Each is built from a module in ``go/``, whose `go.mod` names its version and whose `go.sum` holds the hashes
of all its sources. A program on the PATH is used instead.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local import REPOSITORY, LocalError

MODULES = Path(__file__).resolve().parent / "go"
BUILT = REPOSITORY / ".build" / "engine"

INSTALL_PULUMI = "https://www.pulumi.com/docs/install/"
INSTALL_GO = "https://go.dev/doc/install"
PULUMI_NEEDED = (3, 231)
"""The oldest release that the program's SDK allows (pyproject.toml). The one that is built is tested."""

VERSION_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program: its name, the folder of its module, and the variable that its version is built into.

    One on the PATH isn't taken if another program can have this name, ``is_ambiguous``.
    """

    name: str
    module: str
    version_variable: str | None = None
    is_ambiguous: bool = False

    @property
    def built(self) -> Path:
        """The path at which the program is built."""
        return BUILT / self.name


PULUMI = Tool(
    name="pulumi",
    module="pulumi",
    version_variable="github.com/pulumi/pulumi/sdk/v3/go/common/version.Version",
)
YAML_HOST = Tool(name="pulumi-language-yaml", module="pulumi-yaml")
ACTIONLINT = Tool(name="actionlint", module="actionlint")
FSCK = Tool(name="fsck", module="fsck", is_ambiguous=True)
"""Tessera's verifier of transparency logs. Linux has an fsck of its own."""
TOOLS = (PULUMI, YAML_HOST, ACTIONLINT, FSCK)


def find(tool: Tool) -> Path | None:
    """Return the program on the PATH, or the one built from the module as it is now, if there is one.

    A Pulumi CLI on the PATH that is too old or doesn't run is ignored.
    """
    on_path = None if tool.is_ambiguous else shutil.which(tool.name)
    if on_path and (tool is not PULUMI or _fault(Path(on_path)) is None):
        return Path(on_path)
    return tool.built if _is_current(tool) else None


def find_pulumi() -> Path:
    """Return the Pulumi CLI.

    Raises:
        LocalError: there is none, it doesn't run, or it is too old.

    """
    if pulumi := find(PULUMI):
        return pulumi
    if on_path := shutil.which(PULUMI.name):
        raise LocalError(f"{_fault(Path(on_path))}; upgrade it, or build another one with `make pulumi`")
    raise LocalError(
        f"there is no Pulumi CLI: no pulumi is on the PATH ({INSTALL_PULUMI}), "
        "and `make pulumi` has not built one"
    )


def build(tool: Tool) -> Path:
    """Return the program, and build it if it is neither on the PATH nor built already.

    Raises:
        LocalError: there is no Go, it is too old, or it cannot build the program.

    """
    if found := find(tool):
        return found
    go = shutil.which("go")
    if go is None:
        ready_made = f"the Pulumi CLI ({INSTALL_PULUMI}) or " if tool is PULUMI else ""
        raise LocalError(
            f"{tool.name} is missing, and so is Go, which would build it: "
            f"install {ready_made}Go ({INSTALL_GO})"
        )
    _say(f"building {tool.name} {_module_version(tool)}{', which takes some minutes' * (tool is PULUMI)}")
    BUILT.mkdir(parents=True, exist_ok=True)
    variable = tool.version_variable
    flags = f"-s -w{f' -X {variable}={_module_version(tool)}' if variable else ''}"
    command = [go, "build", "-C", str(MODULES / tool.module), "-trimpath", "-ldflags", flags]
    result = subprocess.run(
        [*command, "-o", f"{BUILT}{os.sep}", "tool"], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines()[-8:]
        raise LocalError("\n".join([f"Go could not build {tool.name}:", *(f"  {line}" for line in lines)]))
    _stamp(tool).write_text(_digest(tool))
    return tool.built


def _is_current(tool: Tool) -> bool:
    """Tell whether the program was built from the module as it is now."""
    try:
        return tool.built.is_file() and _stamp(tool).read_text() == _digest(tool)
    except OSError:
        return False


def _stamp(tool: Tool) -> Path:
    return BUILT / f"{tool.name}.module"


def _digest(tool: Tool) -> str:
    parts = [(MODULES / tool.module / name).read_bytes() for name in ("go.mod", "go.sum")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _module_version(tool: Tool) -> str:
    """Return the version of the tool's module in `go.mod`, without the ``v``."""
    text = (MODULES / tool.module / "go.mod").read_text()
    (package,) = re.findall(r"^tool (\S+)$", text, re.MULTILINE)
    versions: dict[str, str] = dict(re.findall(r"^\s(\S+) v(\S+)", text, re.MULTILINE))
    module = max((name for name in versions if package.startswith(f"{name}/")), key=len)
    return versions[module]


def _fault(pulumi: Path) -> str | None:
    """Say why this Pulumi CLI can't be used, if it can't."""
    try:
        result = subprocess.run(
            [str(pulumi), "version"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=VERSION_TIMEOUT_SECONDS,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{pulumi} does not run: {error}"
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", result.stdout)
    if result.returncode != 0 or not found:
        printed = " ".join((result.stdout + result.stderr).split())
        return (
            f"{pulumi} does not say its version: `pulumi version` exited with {result.returncode} "
            f"and printed {printed!r}"
        )
    if (int(found[1]), int(found[2])) < PULUMI_NEEDED:
        needed = ".".join(map(str, PULUMI_NEEDED))
        return f"{pulumi} is version {found[0]}; allowed: {needed} or newer"
    return None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 (this is a command)


def main(names: Sequence[str]) -> int:
    """Build the named tools, or all; return the exit code."""
    wanted = [tool for tool in TOOLS if not names or tool.name in names]
    unknown = sorted(set(names) - {tool.name for tool in TOOLS})
    if unknown:
        _say(f"{', '.join(unknown)}: unknown; allowed: {', '.join(tool.name for tool in TOOLS)}")
        return 2
    try:
        for tool in wanted:
            _say(f"{tool.name}: {build(tool)}")
    except LocalError as error:
        _say(f"local: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
