"""Reading a function's settings from its environment variables, all errors reported at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class EnvironmentVariablesError(Exception):
    """Environment variables cannot be used: names each one that is wrong, its value and what is allowed."""


class EnvironmentVariables:
    """Reads variables one by one and collects what is wrong; `check` comes after the last of them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._errors: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """Return a variable, or the default where it is absent; one or the other has to say something."""
        value = self._values.get(name, default).strip()
        if not value:
            self.refuse(f"{name} is not set")
        return value

    def count(self, name: str, default: int | None = None) -> int:
        """Return a variable that is a whole number from 1, or the default where it is absent."""
        value = self.text(name, default="" if default is None else str(default))
        if value.isascii() and value.isdecimal() and int(value) > 0:
            return int(value)
        if value:
            self.refuse(f"{name} is {value!r}, but must be a whole number from 1")
        return 0

    def refuse(self, error: str) -> None:
        """Add what a reader of its own found wrong with a variable."""
        self._errors.append(error)

    def check(self) -> None:
        """Raise `EnvironmentVariablesError` if any variable that was read is wrong."""
        if self._errors:
            raise EnvironmentVariablesError("; ".join(self._errors))
