"""``python -m local pulumi``: the Pulumi CLI against the embedded AWS that `make local` runs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml

from local import REPOSITORY, LocalError
from local.deployment import STACK
from local.emulator.process import is_reachable
from local.engine import tools

PASSPHRASE = "local"  # noqa: S105 (the salt in Pulumi.local.yaml is made with it; nothing there is a secret)

PLUGINS = {
    "pulumi-resource-aws": "local.engine.aws_plugin",
    "pulumi-language-python": "local.engine.language_host",
}
"""The name of each plugin's executable, and the module that it runs."""

DESCRIBED = (
    *("endpoint_url", "region", "ca_bundle", "state_folder"),
    *("administrator_access_key_id", "administrator_secret_access_key"),
)
"""The parts of the description that `make local` writes which the CLI needs."""

KEPT_VARIABLES = ("PULUMI_DEBUG_", "PULUMI_PARALLEL", "PULUMI_DISABLE_", "PULUMI_SKIP_CONFIRMATIONS")
"""The user's ``PULUMI_`` variables that are kept; others could point to another state or account."""

MARK = "embedded-aws"
"""The file in a state folder that names the run of the embedded AWS to which the state belongs."""


def run_pulumi(arguments: Sequence[str], described_in: Path, state: str | None) -> NoReturn:
    """Replace this process with the Pulumi CLI, on the embedded AWS that the file describes.

    The state is in the folder ``state``, or beside the emulator's own data, which is deleted at the end.

    Raises:
        LocalError: there is no CLI or no embedded AWS, or the state belongs to something else.

    """
    pulumi = tools.find_pulumi()
    description = _read(described_in)
    folder = Path(description["state_folder"]) if state is None else _chosen(state)
    try:
        claim_state(folder, _identity(description))
        environment = pulumi_environment(os.environ, pulumi, folder, description)
        project = make_project(folder / "project")
    except OSError as error:
        raise LocalError(f"the state folder {folder} cannot be written: {error}") from error
    _select_stack(pulumi, environment, project)
    os.chdir(project)
    os.execve(pulumi, [str(pulumi), *arguments], environment)  # noqa: S606 (that is the command)


def pulumi_environment(
    own: Mapping[str, str], pulumi: Path, state: Path, description: Mapping[str, Any]
) -> dict[str, str]:
    """Return environment variables with which ``pulumi`` uses the embedded AWS and no other account or state.

    Of the user's ``own`` variables, those of AWS and Pulumi are left out. The plugins' executables and the
    CLI's home go into the folder ``state``.
    """
    kept = {
        name: value
        for name, value in own.items()
        if not name.startswith(("AWS_", "PULUMI_")) or name.startswith(KEPT_VARIABLES)
    }
    plugins = install_plugins(state / "plugins", pulumi)
    return {
        **kept,
        "PATH": os.pathsep.join([str(plugins), str(pulumi.parent), own.get("PATH", os.defpath)]),
        "PYTHONPATH": str(REPOSITORY),
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
    """Write an executable for each plugin into ``folder``, and return the folder.

    The host of Python programs is left out if the CLI brings its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, module in modules.items():
        beside = pulumi.resolve().parent / name
        if name.startswith("pulumi-language-") and (beside.exists() or shutil.which(name)):
            continue
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n')
        script.chmod(0o755)
    return folder


def claim_state(folder: Path, identity: str) -> None:
    """Make ``folder`` hold the state of the embedded AWS that ``identity`` names.

    Raises:
        LocalError: it holds the state of another program or another AWS, or something else altogether.
        OSError: it cannot be written.

    """
    mark = folder / MARK
    stacks = folder / ".pulumi" / "stacks"
    others = sorted({path.name for path in stacks.glob("*")} - {_project()["name"]})
    if folder.exists() and not folder.is_dir():
        raise LocalError(f"--state {folder} is a file: name a folder")
    if others:
        raise LocalError(f"--state {folder} has the state of {', '.join(others)}: name another folder")
    if mark.is_file() and mark.read_text(errors="replace") != identity:
        raise LocalError(
            f"--state {folder} belongs to an embedded AWS that is no longer running: "
            "name another folder, or remove this one"
        )
    if not mark.is_file() and folder.is_dir() and any(folder.iterdir()):
        raise LocalError(
            f"--state {folder} is not empty, but has no state of an embedded AWS: name another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(identity)
    _mend(folder)


def make_project(folder: Path) -> Path:
    """Make a project that runs this repository's program with its own settings files; return its folder.

    `pulumi config set` writes to a settings file, and those of the repository are for other deployments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    project = _project()
    project["main"] = os.path.relpath(REPOSITORY.resolve(), folder.resolve())
    project["runtime"]["options"]["virtualenv"] = str(REPOSITORY / ".venv")
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project, sort_keys=False), encoding="utf-8")
    for settings in REPOSITORY.glob("Pulumi.*.yaml"):
        if not (folder / settings.name).exists():
            shutil.copy(settings, folder / settings.name)
    return folder


def _mend(folder: Path) -> None:
    """Remove the empty files that a killed CLI leaves behind, which would stop the next one.

    They hold attributes of the checkpoint beside them, and Pulumi writes them again.
    """
    for attributes in (folder / ".pulumi").rglob("*.attrs"):
        if attributes.stat().st_size == 0:
            attributes.unlink()


def _chosen(state: str) -> Path:
    """Return the folder that ``--state`` names."""
    if not state or "://" in state:
        raise LocalError(f"--state {state!r} is not allowed: name a folder on this machine")
    return Path(state).expanduser().absolute()


def _project() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text(encoding="utf-8"))
    return content


def _identity(description: Mapping[str, Any]) -> str:
    """Return a name for this run of the embedded AWS, which has a new key each time."""
    return f"{description['endpoint_url']} {description['administrator_access_key_id']}\n"


def _read(path: Path) -> dict[str, Any]:
    hint = "start one with `make local` in another terminal, or name its file: --outputs FILE"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LocalError(f"no embedded AWS is running: there is no {path}; {hint}") from error
    except (OSError, ValueError) as error:
        raise LocalError(f"{path} does not describe an embedded AWS ({error}); {hint}") from error
    given = description if isinstance(description, dict) else {}
    if not all(isinstance(given.get(name), str) for name in DESCRIBED):
        raise LocalError(f"{path} does not describe an embedded AWS; {hint}")
    if not Path(given["ca_bundle"]).is_file() or not is_reachable(given["endpoint_url"]):
        raise LocalError(f"the embedded AWS that {path} describes is no longer running; {hint}")
    return given


def _select_stack(pulumi: Path, environment: Mapping[str, str], project: Path) -> None:
    """Select the stack of `Pulumi.local.yaml`, so that even the first command has one."""
    folder = Path(environment["PULUMI_HOME"], "workspaces")
    if folder.is_dir() and any(folder.iterdir()):
        return
    result = subprocess.run(
        [str(pulumi), "stack", "select", "--create", STACK, "--non-interactive"],
        cwd=project,
        env=dict(environment),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        raise LocalError(f"Pulumi could not create the stack {STACK}: {result.stderr.strip()}")
