"""A stack's outputs, from `pulumi stack output` or from a file: where the stack is and how to reach it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from cli.errors import BillEError, UsageError

PULUMI_TIMEOUT_SECONDS = 120
AUTH_KINDS = ("iam", "jwt")


@dataclass(frozen=True, kw_only=True)
class StackKey:
    """An AWS access key that comes with a stack."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class StackAccess:
    """Everything that is needed to reach a stack.

    `upload_prefix` is "" for a stack that takes receipts anywhere in its bucket. `max_receipt_bytes` and
    `accepted_types` only explain rejections; older outputs don't have them. Only operators need the
    ledger and the queues. From `endpoint_url` on, members are None for a stack on AWS, where the SDK finds
    the endpoint and the credentials by its own rules; the file of an embedded AWS has them.
    """

    uploads_bucket: str
    api_url: str
    region: str
    api_auth: Literal["iam", "jwt"]
    upload_prefix: str
    max_receipt_bytes: int | None
    accepted_types: tuple[str, ...]
    ledger_table: str | None
    ledger_shards: int | None
    queue_url: str | None
    resend_queue_url: str | None
    dead_letter_queue_url: str | None
    operations_log: str | None
    log_public_key: str | None
    log_bucket: str | None
    sealer: str | None
    alarm_topic: str | None
    endpoint_url: str | None
    caller_key: StackKey | None
    auditor_key: StackKey | None
    operator_key: StackKey | None
    administrator_key: StackKey | None
    ca_bundle: Path | None


def find_stack(stack: str | None, outputs: Path | None) -> StackAccess:
    """Read the stack that the options name, or else BILL_E_STACK or BILL_E_OUTPUTS.

    Raise UsageError unless exactly one is named, BillEError if its outputs can't be read.
    """
    if stack is None and outputs is None:
        stack = os.environ.get("BILL_E_STACK") or None
        file = os.environ.get("BILL_E_OUTPUTS")
        outputs = Path(file).absolute() if file else None
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
            f"`pulumi stack output --stack {name}` did not answer within {PULUMI_TIMEOUT_SECONDS} s"
        ) from expired
    except OSError as error:
        raise BillEError(f"{pulumi} cannot be run: {error.strerror}") from error
    if ran.returncode != 0:
        said = [line for line in ran.stderr.splitlines() if line.strip()]
        reason = said[-1].removeprefix("error: ") if said else f"`pulumi` exited with code {ran.returncode}"
        raise BillEError(f"cannot read the outputs of stack {name!r}: {reason}")
    return parse_access(_parse_json(ran.stdout, f"stack {name!r}"), f"stack {name!r}")


def read_outputs_file(path: Path) -> StackAccess:
    """Read a file with a stack's outputs, or the file that an embedded AWS wrote."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BillEError(f"the outputs file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BillEError(f"the outputs file {path} is not JSON: it is not text") from error
    return parse_access(_parse_json(text, f"the outputs file {path}"), str(path))


def parse_access(document: object, source: str) -> StackAccess:
    """Read what `pulumi stack output --json` prints, or what an embedded AWS writes; name all faults at once.

    An embedded AWS puts the outputs into a member ``outputs``. `source` is where the document came from.
    """
    if not isinstance(document, dict):
        raise BillEError(f"{source} is not a JSON object, so it has no stack outputs")
    around: Mapping[str, object] = document if isinstance(document.get("outputs"), dict) else {}
    beside, outputs = _Members(around), _Members(document["outputs"] if around else document)
    access = StackAccess(
        api_url=outputs.address("api_url").rstrip("/"),
        api_auth="jwt" if outputs.one_of("api_auth", AUTH_KINDS) == "jwt" else "iam",
        uploads_bucket=outputs.required("uploads_bucket"),
        region=outputs.required("region"),
        upload_prefix=outputs.text("upload_prefix") or "",
        max_receipt_bytes=outputs.whole_number("max_receipt_bytes"),
        accepted_types=outputs.texts("accepted_types"),
        ledger_table=outputs.text("ledger_table"),
        ledger_shards=outputs.whole_number("ledger_shards"),
        queue_url=outputs.text("queue_url"),
        resend_queue_url=outputs.text("resend_queue_url"),
        dead_letter_queue_url=outputs.text("dead_letter_queue_url"),
        operations_log=outputs.members("log_groups").get("operations"),
        log_public_key=outputs.text("log_public_key"),
        log_bucket=outputs.text("log_bucket"),
        sealer=outputs.text("sealer"),
        alarm_topic=outputs.text("alarm_topic"),
        endpoint_url=beside.text("endpoint_url"),
        caller_key=beside.key("aws"),
        auditor_key=beside.key("auditor"),
        operator_key=beside.key("operator"),
        administrator_key=beside.key("administrator"),
        ca_bundle=beside.file("ca_bundle"),
    )
    if faults := outputs.faults + beside.faults:
        raise BillEError(f"{source} {', '.join(faults)}: are these the outputs of a running Bill-E stack?")
    return access


class _Members:
    """The members of a JSON object. A faulty one is added to `faults`, and counts as missing."""

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members
        self.faults: list[str] = []

    def text(self, name: str) -> str | None:
        value = self._members.get(name)
        if value is not None and not isinstance(value, str):
            self.faults.append(f"has {name!r} as {value!r}, which is not text")
        return value if isinstance(value, str) and value else None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._members.get(name) or []
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.faults.append(f"has {name!r} as {value!r}, which is not a list of texts")
        return ()

    def members(self, name: str) -> Mapping[str, str]:
        value = self._members.get(name) or {}
        if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
            return value
        self.faults.append(f"has {name!r} as {value!r}, which is not an object of texts")
        return {}

    def required(self, name: str) -> str:
        if self._members.get(name) is None or self._members[name] == "":
            self.faults.append(f"has no output {name!r}")
        return self.text(name) or ""

    def one_of(self, name: str, allowed: Sequence[str]) -> str:
        value = self.required(name)
        if value and value not in allowed:
            self.faults.append(f"has {value!r} as {name!r}, allowed: {' or '.join(allowed)}")
        return value

    def address(self, name: str) -> str:
        value = self.required(name)
        if value and not _is_http_url(value):
            self.faults.append(f"has {value!r} as {name!r}, allowed: an http or https address")
        return value

    def whole_number(self, name: str) -> int | None:
        value = self._members.get(name)
        # Pulumi knows no integers: a number may come as 4.0.
        if isinstance(value, int | float) and value >= 1 and value == int(value):
            return int(value)
        if value is not None:
            self.faults.append(f"has {name!r} as {value!r}, which is not a whole number, 1 or more")
        return None

    def file(self, name: str) -> Path | None:
        value = self.text(name)
        if value is not None and not Path(value).is_file():
            self.faults.append(f"names the {name} {value}, which doesn't exist")
        return Path(value) if value else None

    def key(self, kind: str) -> StackKey | None:
        names = f"{kind}_access_key_id", f"{kind}_secret_access_key"
        key_id, secret = map(self.text, names)
        if key_id and secret:
            return StackKey(id=key_id, secret=secret)
        if key_id or secret:
            self.faults.append(f"has only one of {' and '.join(names)}")
        return None


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
