"""``python -m local pulumi``: the Pulumi CLI against the embedded AWS that `make local` keeps up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from local.engine import tools
from local.errors import LocalError
from local.program import STACK

PASSPHRASE = "local"  # noqa: S105 (the salt in Pulumi.local.yaml is made with it; nothing there is a secret)

PLUGINS = {
    "pulumi-resource-aws": "local.engine.aws_plugin",
    "pulumi-language-python": "local.engine.language_host",
}
"""Name of a plugin's executable to the module that it is."""

FROM_THE_CALLER = ("PULUMI_DEBUG_", "PULUMI_PARALLEL", "PULUMI_DISABLE_")
"""What stays of the caller's ``PULUMI_`` variables; the others would lead to another state or account."""


def run_pulumi(arguments: Sequence[str], described_in: Path, state: Path | None) -> NoReturn:
    """Become the Pulumi CLI with these arguments, on the environment that the file describes.

    Its state is in ``state``, or beside the emulator's own data, with which it goes.

    Raises:
        LocalError: there is no CLI or no running environment, or the state is of something else.

    """
    pulumi = tools.find_pulumi()
    description = _read(described_in)
    folder = (state or Path(description["state_folder"])).absolute()
    claim_state(folder, _identity(description), tools.REPOSITORY)
    environment = pulumi_environment(os.environ, pulumi, folder, description)
    _select_stack(pulumi, environment)
    os.execve(pulumi, [str(pulumi), *arguments], environment)  # noqa: S606 (that is the command)


def pulumi_environment(
    own: Mapping[str, str], pulumi: Path, state: Path, description: Mapping[str, Any]
) -> dict[str, str]:
    """Return the environment in which ``pulumi`` uses the embedded AWS, and nothing of the user's but PATH.

    The plugins' executables and the CLI's home go into the folder ``state``.
    """
    kept = {
        name: value
        for name, value in own.items()
        if not name.startswith(("AWS_", "PULUMI_")) or name.startswith(FROM_THE_CALLER)
    }
    plugins = install_plugins(state / "plugins", pulumi)
    return {
        **kept,
        "PATH": os.pathsep.join([str(plugins), str(pulumi.parent), own.get("PATH", os.defpath)]),
        "PYTHONPATH": str(tools.REPOSITORY),
        "PULUMI_HOME": str(state / "home"),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "AWS_ENDPOINT_URL": description["endpoint_url"],
        "AWS_REGION": description["region"],
        "AWS_CA_BUNDLE": description["ca_bundle"],
        "AWS_ACCESS_KEY_ID": description["administrator_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": description["administrator_secret_access_key"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def install_plugins(folder: Path, pulumi: Path, modules: Mapping[str, str] = PLUGINS) -> Path:
    """Write an executable for each plugin into ``folder``, and return it.

    The host of Python programs is left out where the CLI brings its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, module in modules.items():
        beside = pulumi.resolve().parent / name
        if name.startswith("pulumi-language-") and (beside.exists() or shutil.which(name)):
            continue
        script = folder / name
        script.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m {module} \"$@\"\n")
        script.chmod(0o755)
    return folder


def claim_state(folder: Path, identity: str, project_folder: Path) -> None:
    """Make ``folder`` the place of state for an embedded AWS, which ``identity`` names.

    Raises:
        LocalError: it holds the state of another program, or of an embedded AWS that is gone.

    """
    mark = folder / "embedded-aws"
    stacks = folder / ".pulumi" / "stacks"
    others = sorted(path.name for path in stacks.glob("*") if path.name != _project(project_folder))
    if others:
        raise LocalError(f"--state {folder} holds the state of {', '.join(others)}: name another folder")
    if (stacks.exists() or mark.exists()) and (not mark.is_file() or mark.read_text() != identity):
        raise LocalError(
            f"--state {folder} is the state of another AWS, not of the one that is up now: "
            "name another folder, or remove this one"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(identity)
    except OSError as error:
        raise LocalError(f"--state {folder} cannot be written: {error.strerror}") from error


def _project(folder: Path) -> str:
    lines = (folder / "Pulumi.yaml").read_text(encoding="utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("name:"))


def _identity(description: Mapping[str, Any]) -> str:
    """Name this run of the embedded AWS: its key is made anew each time."""
    return f"{description['endpoint_url']} {description['administrator_access_key_id']}\n"


def _read(path: Path) -> dict[str, Any]:
    hint = "start one with `make local` in another terminal, or name its file: --outputs FILE"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LocalError(f"no embedded AWS is up: there is no {path}; {hint}") from error
    except (OSError, ValueError) as error:
        raise LocalError(f"{path} describes no embedded AWS ({error}); {hint}") from error
    needed = {"endpoint_url", "region", "ca_bundle", "state_folder"}
    needed |= {"administrator_access_key_id", "administrator_secret_access_key"}
    if not isinstance(description, dict) or not needed <= description.keys():
        raise LocalError(f"{path} describes no embedded AWS; {hint}")
    if not Path(description["ca_bundle"]).is_file():
        raise LocalError(f"the embedded AWS that {path} describes is gone; {hint}")
    return description


def _select_stack(pulumi: Path, environment: Mapping[str, str]) -> None:
    """Have the stack of `Pulumi.local.yaml` selected, so that every command has one from the first on."""
    folder = Path(environment["PULUMI_HOME"], "workspaces")
    if folder.is_dir() and any(folder.iterdir()):
        return
    result = subprocess.run(
        [str(pulumi), "stack", "select", "--create", STACK, "--non-interactive"],
        cwd=tools.REPOSITORY,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise LocalError(f"Pulumi could not make the stack {STACK}: {result.stderr.strip()}")
