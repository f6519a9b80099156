"""Settings and arguments that declare their own checks. All invalid values are refused at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlsplit

import pulumi

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, kw_only=True)
class InvalidValue:
    """A value that is not allowed, and what is allowed instead."""

    name: str
    value: object
    allowed: str

    @property
    def reason(self) -> str:
        """Say what the value is and what is allowed; the name comes before it."""
        # Settings keep lists as tuples, which would show as ('a',).
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return f"is {value!r}; allowed: {self.allowed}"


class InvalidInputError(pulumi.RunError):
    """Names every value that was refused.

    It is a `RunError` so that Pulumi prints the message without a stack trace.
    """

    def __init__(self, subject: str, values: Iterable[InvalidValue]) -> None:
        self.values = tuple(values)
        super().__init__(
            "\n".join([f"{subject}:", *(f"  - {each.name} {each.reason}" for each in self.values)])
        )


SETTINGS = "these settings are not allowed"
"""The subject of invalid settings. That of invalid arguments is the class that they are for."""


def refuse(subject: str, values: Iterable[InvalidValue]) -> None:
    """Raise `InvalidInputError` if there are any invalid values."""
    if found := tuple(values):
        raise InvalidInputError(subject, found)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a value has to be, as a test and in words. With `of_each`, this applies to each item of a list."""

    holds: Callable[[Any], bool]
    allowed: str
    of_each: bool = False

    def refused(self, name: str, value: Any) -> Iterator[InvalidValue]:
        """Yield the value if the test fails, or the items of the list for which it does."""
        for each in value if self.of_each else [value]:
            if not self.holds(each):
                yield InvalidValue(name=name, value=each, allowed=self.allowed)


def argument(*checks: Check, default: Any = MISSING) -> Any:
    """Declare an argument of a component, with its checks."""
    return field(default=default, metadata={"checks": checks})


def setting(default: Any, description: str, *checks: Check, when: Callable[[Any], bool] | None = None) -> Any:
    """Declare an argument that is also a setting of the stack. Its checks only apply if `when` is true."""
    return field(default=default, metadata={"description": description, "checks": checks, "when": when})


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Settings or arguments that raise `InvalidInputError` unless all of them are valid together."""

    def __post_init__(self) -> None:
        refuse(type(self).__name__, self.invalid_values())

    def invalid_values(self) -> Iterator[InvalidValue]:
        """Yield what the fields' checks refuse. Subclasses add values that are not allowed together."""
        for each in fields(self):
            when = each.metadata.get("when")
            if when is None or when(self):
                for check in each.metadata.get("checks", ()):
                    yield from check.refused(each.name, getattr(self, each.name))


def between(low: int, high: int) -> Check:
    """Make the check that a number is between two limits, inclusive."""
    return Check(holds=lambda value: low <= value <= high, allowed=f"a whole number from {low:,} to {high:,}")


def one_of(*allowed: object) -> Check:
    """Make the check that a value is one of these."""
    return Check(holds=lambda value: value in allowed, allowed=", ".join(map(str, allowed)))


def matching(pattern: str, allowed: str) -> Check:
    """Make the check that the whole string matches a pattern; `allowed` says the same in words."""
    return Check(holds=lambda value: bool(re.fullmatch(pattern, value)), allowed=allowed)


def not_empty(allowed: str) -> Check:
    """Make the check that a list has items; `allowed` names them."""
    return Check(holds=bool, allowed=allowed)


def each(check: Check) -> Check:
    """Make the check for every item of a list."""
    return replace(check, of_each=True)


UNIQUE = Check(holds=lambda value: len(set(value)) == len(value), allowed="each value once")

KMS_KEY = matching(
    r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+",
    "the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID",
)
"""Not the ARN of an alias, which can be moved to another key."""


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


ORIGIN = Check(
    holds=lambda value: _web_url(value) == value == value.lower(),
    allowed="an origin such as https://receipts.example.com (http only for localhost), never *",
)
"""A web origin as browsers send it (RFC 6454). ``*`` would open the API to every site."""

ISSUER_URL = Check(
    holds=lambda value: _web_url(value) is not None and not set("?#") & set(value),
    allowed="an https URL without query or fragment (http only for localhost)",
)
"""A token issuer (OpenID Connect Discovery 1.0, section 3). A local one may use http."""
