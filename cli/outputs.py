"""Where a stack is: its outputs, from `pulumi stack output` or from a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from cli.errors import BillEError, UsageError

PULUMI_TIMEOUT_SECONDS = 120
AUTH_KINDS = ("iam", "jwt")


@dataclass(frozen=True, kw_only=True)
class StackAccess:
    """What it takes to talk to a stack.

    `upload_prefix` is where in the bucket the stack looks for receipts ("" for everywhere). The members after
    it are `None` for a stack on AWS, where the SDK's own rules find the endpoint and the credentials; an
    embedded AWS's file sets them.
    """

    uploads_bucket: str
    api_url: str
    region: str
    api_auth: Literal["iam", "jwt"]
    upload_prefix: str = ""
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    ca_bundle: Path | None = None


def find_stack(stack: str | None, outputs: Path | None) -> StackAccess:
    """Read the stack that the options name, or else the environment (BILL_E_STACK or BILL_E_OUTPUTS).

    Raise UsageError when nothing or too much is named, BillEError when what is named cannot be read.
    """
    if stack is None and outputs is None:
        stack = os.environ.get("BILL_E_STACK") or None
        file = os.environ.get("BILL_E_OUTPUTS")
        outputs = Path(file) if file else None
        if stack and outputs:
            raise UsageError(
                "BILL_E_STACK and BILL_E_OUTPUTS are both set: unset one, or give --stack or --outputs"
            )
    if outputs is not None:
        return read_outputs_file(outputs)
    if stack is not None:
        return read_pulumi_stack(stack)
    raise UsageError(
        "no stack named: give --stack NAME or --outputs FILE, or set BILL_E_STACK or BILL_E_OUTPUTS"
    )


def read_pulumi_stack(name: str) -> StackAccess:
    """Ask the Pulumi CLI for the outputs of the stack called `name`."""
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise BillEError(
            f"stack {name!r} needs the Pulumi CLI, which is not on the PATH: install it "
            "(https://www.pulumi.com/docs/install/), or give --outputs FILE"
        )
    command = [pulumi, "stack", "output", "--json", "--non-interactive", f"--stack={name}"]
    try:
        ran = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PULUMI_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise BillEError(
            f"`pulumi stack output --stack {name}` gave no answer within {PULUMI_TIMEOUT_SECONDS} s"
        ) from expired
    except OSError as error:
        raise BillEError(f"{pulumi} cannot be run: {error.strerror}") from error
    if ran.returncode != 0:
        said = [line for line in ran.stderr.splitlines() if line.strip()]
        reason = said[-1].removeprefix("error: ") if said else f"it ended with exit code {ran.returncode}"
        raise BillEError(f"the outputs of stack {name!r} cannot be read: {reason}")
    return parse_access(_parse_json(ran.stdout, f"stack {name!r}"), f"stack {name!r}")


def read_outputs_file(path: Path) -> StackAccess:
    """Read a file that holds a stack's outputs, or the file that the embedded AWS wrote."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BillEError(f"the outputs file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BillEError(f"the outputs file {path} is not JSON: it is not text") from error
    return parse_access(_parse_json(text, f"the outputs file {path}"), str(path))


def parse_access(document: object, source: str) -> StackAccess:
    """Read stack outputs, or an embedded AWS's document around them; name every fault at once.

    Args:
        document: the parsed JSON. With a member ``outputs`` it is an embedded AWS's document, otherwise it is
            the object that `pulumi stack output --json` prints.
        source: where it came from, for the error.

    """
    if not isinstance(document, dict):
        raise BillEError(f"{source} holds no JSON object, so it has no stack outputs")
    around: Mapping[str, object] = document if isinstance(document.get("outputs"), dict) else {}
    outputs: Mapping[str, object] = document["outputs"] if around else document
    faults: list[str] = []

    def text(members: Mapping[str, object], name: str) -> str | None:
        value = members.get(name)
        if value is not None and not isinstance(value, str):
            faults.append(f"has {name!r} as {value!r}, which is not text")
        return value if isinstance(value, str) and value else None

    def required(name: str) -> str:
        value = text(outputs, name)
        if outputs.get(name) in {None, ""}:
            faults.append(f"has no output {name!r}")
        return value or ""

    api_url, auth, ca_bundle = required("api_url"), required("api_auth"), text(around, "ca_bundle")
    key_id, secret = text(around, "aws_access_key_id"), text(around, "aws_secret_access_key")
    checks = {
        f"has {api_url!r} as 'api_url', allowed: an http or https address": not api_url
        or _is_http_url(api_url),
        f"has {auth!r} as 'api_auth', allowed: {' or '.join(AUTH_KINDS)}": not auth or auth in AUTH_KINDS,
        f"names the ca_bundle {ca_bundle}, which doesn't exist": ca_bundle is None
        or Path(ca_bundle).is_file(),
        "has only one of aws_access_key_id and aws_secret_access_key": (key_id is None) == (secret is None),
    }
    faults += [fault for fault, passed in checks.items() if not passed]
    access = StackAccess(
        uploads_bucket=required("uploads_bucket"),
        api_url=api_url.rstrip("/"),
        region=required("region"),
        api_auth="jwt" if auth == "jwt" else "iam",
        upload_prefix=text(outputs, "upload_prefix") or "",
        endpoint_url=text(around, "endpoint_url"),
        access_key_id=key_id,
        secret_access_key=secret,
        ca_bundle=Path(ca_bundle) if ca_bundle else None,
    )
    if faults:
        raise BillEError(f"{source} {', '.join(faults)}: are these the outputs of a running Bill-E stack?")
    return access


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _parse_json(text: str, source: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BillEError(f"{source} is not JSON: {error}") from error
