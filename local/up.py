"""``python -m local up``: the environment, until it is told to stop."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.environment import Environment, running_environment
from local.errors import LocalError


def up(outputs_file: Path, port: int | None) -> None:
    """Run the environment until KeyboardInterrupt, described in ``outputs_file`` for as long as it is up.

    Raises:
        LocalError: it cannot be started or described, or the emulator ended by itself.

    """
    target = outputs_file.absolute()
    _check_writable(target)
    with running_environment(port) as environment, _written(target, environment):
        print(usage(environment, outputs_file), flush=True)  # noqa: T201 (this is the command's output)
        with contextlib.suppress(KeyboardInterrupt):
            environment.emulator.wait()


def usage(environment: Environment, outputs_file: Path) -> str:
    """Tell how to use it, in lines that work as they stand in a POSIX shell at the root of the repository."""
    caller, outputs = environment.caller, environment.outputs
    credentials = caller.credentials
    file, ca_bundle, region = (
        shlex.quote(str(outputs_file)),
        shlex.quote(str(caller.ca_bundle)),
        caller.region,
    )
    return f"""\
Bill-E is up on an embedded AWS at {caller.endpoint_url}. Ctrl-C stops it and removes all that it kept.
Described in {outputs_file}. Log of the emulator: {environment.emulator.log}

The command line:
  export BILL_E_OUTPUTS={file}
  .venv/bin/bill-e upload samples/good samples/bad --wait
  .venv/bin/bill-e receipts
  .venv/bin/bill-e show 'samples/good/coffee shop.png'

Any AWS client, for example:
  export AWS_ENDPOINT_URL={caller.endpoint_url} AWS_CA_BUNDLE={ca_bundle} AWS_REGION={region} \\
    AWS_ACCESS_KEY_ID={credentials.access_key_id} AWS_SECRET_ACCESS_KEY={credentials.secret_access_key} \\
    AWS_SESSION_TOKEN=
  aws s3 cp 'samples/good/coffee shop.png' s3://{outputs["uploads_bucket"]}/

The API with curl 7.75 or newer (every request is signed):
  curl --cacert {ca_bundle} --aws-sigv4 aws:amz:{region}:execute-api \\
    --user {credentials.access_key_id}:{shlex.quote(credentials.secret_access_key)} \\
    '{outputs["api_url"]}/receipts?limit=5'
"""


def _check_writable(target: Path) -> None:
    """Find out before anything is started what would only fail after it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(f"the folder of --outputs {target} cannot be made: {error.strerror}") from error
    if target.is_dir():
        raise LocalError(f"--outputs {target} is a folder: name a file")
    if not os.access(target.parent, os.W_OK):
        raise LocalError(f"--outputs {target} cannot be written: no permission for its folder")


@contextlib.contextmanager
def _written(target: Path, environment: Environment) -> Iterator[None]:
    """Keep the description in ``target``, where it appears whole, and for its owner only.

    At the end it goes, unless something else has taken its place.
    """
    text = json.dumps(environment.description(), indent=2) + "\n"
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
