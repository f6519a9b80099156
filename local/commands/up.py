"""``python -m local up`` and ``emulator``: an embedded AWS, with the stack or empty, that keeps running."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local import LocalError
from local.aws import Aws
from local.embedded_stack import EmbeddedStack, running_stack
from local.emulator.process import Emulator, is_reachable, running_emulator


def up(outputs_file: Path, port: int | None) -> None:
    """Keep a stack running until KeyboardInterrupt, and describe it in ``outputs_file`` for that time.

    Raises:
        LocalError: it cannot be started or described, or the emulator ended unexpectedly.

    """
    target = outputs_file.absolute()
    _check_writable(target)
    with running_stack(port) as stack, _written(target, stack):
        print(usage(stack, target), flush=True)  # noqa: T201 (this is the command's output)
        with contextlib.suppress(KeyboardInterrupt):
            stack.emulator.wait()


def emulator(port: int | None) -> None:
    """Run an empty emulator until KeyboardInterrupt, for any AWS client.

    Raises:
        LocalError: it cannot be started, or ended unexpectedly.

    """
    with running_emulator(port) as running:
        print(empty_usage(running), flush=True)  # noqa: T201 (this is the command's output)
        with contextlib.suppress(KeyboardInterrupt):
            running.wait()


def usage(stack: EmbeddedStack, outputs_file: Path) -> str:
    """Say how to use the stack, with commands for a POSIX shell at the root of the repository."""
    caller, outputs = stack.caller, stack.outputs
    key = caller.key
    return f"""\
Bill-E is up on an embedded AWS at {caller.endpoint_url}. Ctrl-C stops it and deletes everything in it.
Described in {outputs_file}. Log of the emulator: {stack.emulator.log}

The command line:
  export BILL_E_OUTPUTS={shlex.quote(str(outputs_file))}
  .venv/bin/bill-e upload samples/good samples/bad --wait
  .venv/bin/bill-e receipts
  .venv/bin/bill-e show 'samples/good/coffee shop.png'

A second stack beside this one, with your own Pulumi CLI:
  .venv/bin/python -m local pulumi preview

Any AWS client, for example the AWS CLI 2:
{_client_settings(caller)}
  aws s3 cp 'samples/good/coffee shop.png' s3://{outputs["uploads_bucket"]}/

The API with curl 7.75 or newer (every request is signed):
  curl --cacert {shlex.quote(str(caller.ca_bundle))} --aws-sigv4 aws:amz:{caller.region}:execute-api \\
    --user {key.id}:{key.secret} \\
    '{outputs["api_url"]}/receipts?limit=5'
(Some versions of curl sign longer queries wrongly and get a 403.)
"""


def empty_usage(running: Emulator) -> str:
    """Say how to use an empty emulator."""
    return f"""\
An empty embedded AWS is up at {running.endpoint_url}. Ctrl-C stops it and deletes everything in it.
Log of the emulator: {running.log}

With these settings, an AWS client may do everything there:
{_client_settings(running.administrator)}
"""


def _client_settings(aws: Aws) -> str:
    """Return the command that points the AWS clients of a shell at ``aws``."""
    return f"""\
  export AWS_ENDPOINT_URL={aws.endpoint_url} AWS_REGION={aws.region} AWS_DEFAULT_REGION={aws.region} \\
    AWS_CA_BUNDLE={shlex.quote(str(aws.ca_bundle))} AWS_SESSION_TOKEN= \\
    AWS_ACCESS_KEY_ID={aws.key.id} \\
    AWS_SECRET_ACCESS_KEY={aws.key.secret}"""


def _check_writable(target: Path) -> None:
    """Refuse a file that can't be written, before anything is started."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(f"the folder of --outputs {target} cannot be created: {error.strerror}") from error
    if target.is_dir():
        raise LocalError(f"--outputs {target} is a folder: name a file")
    if (running := _endpoint_described_in(target)) and is_reachable(running):
        raise LocalError(
            f"--outputs {target} describes an embedded AWS that is up at {running}: "
            "stop it, or name another file"
        )
    if not os.access(target.parent, os.W_OK):
        raise LocalError(f"--outputs {target} cannot be written: no permission for its folder")


def _endpoint_described_in(target: Path) -> str | None:
    """Return the endpoint in the file, which another run still uses or has left behind."""
    try:
        description = json.loads(target.read_text(encoding="utf-8"))
        return str(description["endpoint_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def _written(target: Path, stack: EmbeddedStack) -> Iterator[None]:
    """Keep the description in ``target``, which only its owner can read and is never half-written.

    It is removed at the end, unless something else has replaced it.
    """
    text = json.dumps(stack.description(), indent=2) + "\n"
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    Path(draft).write_text(text, encoding="utf-8")
    Path(draft).replace(target)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if target.read_text(encoding="utf-8") == text:
                target.unlink()
