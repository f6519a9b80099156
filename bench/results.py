"""What a measure hands over: tables, aims and counts. No measure prints."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells by their names, under column names of which the first is that of the rows' names."""

    columns: Sequence[str]
    rows: Mapping[str, Sequence[str]]
    caption: str = ""

    def lines(self) -> list[list[str]]:
        """Return all lines of cells, from the column names on."""
        return [[*self.columns], *([name, *cells] for name, cells in self.rows.items())]


def table_of(
    things: Mapping[str, T], columns: Mapping[str, Callable[[T], str]], *, first: str = "", caption: str = ""
) -> Table:
    """Make a table with a row for each thing, and a column for each way to look at it."""
    rows = {name: [cell(thing) for cell in columns.values()] for name, thing in things.items()}
    return Table(columns=[first, *columns], rows=rows, caption=caption)


@dataclass(frozen=True)
class Aim:
    """A figure with the limit it should keep. ``at_most`` false means "at least"."""

    text: str
    figure: float
    limit: float
    _: KW_ONLY
    unit: str = ""
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether the figure keeps the limit."""
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit


@dataclass(frozen=True)
class Count:
    """A count that must be exactly what is expected, or the bench fails."""

    text: str
    actual: str
    expected: str

    @property
    def holds(self) -> bool:
        """Whether the count is what it must be."""
        return self.actual == self.expected


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a measure found."""

    tables: Sequence[Table]
    aims: Sequence[Aim] = ()
    counts: Sequence[Count] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """The findings of a measure with its name, its title, and how it was made."""

    name: str
    title: str
    method: str
    findings: Findings


def section(name: str, measure: ModuleType, scale: object, findings: Findings) -> Section:
    """Describe findings by their measure's docstring: a title, then how, with the module's own constants."""
    title, method = inspect.cleandoc(measure.__doc__ or "").split("\n", 1)
    method = " ".join(method.split()).format(**vars(measure), scale=scale)
    return Section(name=name, title=title.removesuffix("."), method=method, findings=findings)


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, such as ``1 call`` or ``2.5 units``."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
