"""Checks that settings and component arguments share: a value in, a problem or none out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One value that is not allowed: its name, what it is, and what it may be."""

    name: str
    value: object
    allowed: str

    def __str__(self) -> str:
        # Settings keep lists as tuples, which would show as ('a',).
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return f"{self.name} is {value!r}; allowed: {self.allowed}"


class InvalidInputError(pulumi.RunError):
    """Values that were refused, all of them at once.

    A `RunError`, so that Pulumi prints the message alone, without a stack trace.
    """

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([f"{subject}:", *(f"  - {problem}" for problem in self.problems)]))


def refuse(subject: str, *problems: Problem | None) -> None:
    """Raise `InvalidInputError` about `subject` if any of the checks found a problem."""
    found = [problem for problem in problems if problem is not None]
    if found:
        raise InvalidInputError(subject, found)


def between(name: str, value: int, low: int, high: int) -> Problem | None:
    """Check that a number is between two limits, both included."""
    if low <= value <= high:
        return None
    return Problem(name=name, value=value, allowed=f"a whole number from {low} to {high}")


def one_of(name: str, value: object, allowed: Collection[object]) -> Problem | None:
    """Check that a value is one of those listed."""
    if value in allowed:
        return None
    return Problem(name=name, value=value, allowed=", ".join(map(str, allowed)))


def matches(name: str, value: str, pattern: str, allowed: str) -> Problem | None:
    """Check that the whole text matches a pattern; `allowed` says the same in words."""
    return None if re.fullmatch(pattern, value) else Problem(name=name, value=value, allowed=allowed)


def not_empty(name: str, value: Collection[object], allowed: str) -> Problem | None:
    """Check that there is at least one."""
    return None if value else Problem(name=name, value=value, allowed=allowed)


def unique(name: str, value: Collection[object]) -> Problem | None:
    """Check that nothing is listed twice."""
    if len(set(value)) == len(value):
        return None
    return Problem(name=name, value=value, allowed="each value once")


def kms_key(name: str, value: str) -> Problem | None:
    """Check that a text is the ARN of a KMS key, in any partition; an alias can move to another key."""
    pattern = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+"
    return matches(name, value, pattern, "the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID")


def origin(name: str, value: str) -> Problem | None:
    """Check that a text is a web origin as browsers send it (RFC 6454): scheme, host, port, and nothing else.

    Never ``*``, which would open the API to every site. Plain http only for a loopback host.
    """
    allowed = "an origin such as https://receipts.example.com (http only for localhost), never *"
    url = _web_url(value)
    if url is None or url != value or value != value.lower():
        return Problem(name=name, value=value, allowed=allowed)
    return None


def issuer_url(name: str, value: str) -> Problem | None:
    """Check that a text can be a token issuer (OpenID Connect Discovery 1.0, section 3).

    That is an https URL without query and fragment; http only for a loopback host, where a local issuer may
    stand in.
    """
    allowed = "an https URL without query or fragment (http only for localhost)"
    url = _web_url(value)
    if url is None or "?" in value or "#" in value:
        return Problem(name=name, value=value, allowed=allowed)
    return None


def _web_url(value: str) -> str | None:
    """Return scheme, host and port of an https URL (or http on a loopback host); None for anything else."""
    if not value.isprintable() or any(character in value for character in " *\\@"):
        return None
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS)
    if not secure or not parts.hostname:
        return None
    return f"{parts.scheme}://{parts.netloc}" if port != 0 else None
