"""What a measure finds: tables, aims and counts. No measure prints."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class FigureTable:
    """Figures by row, then by column. ``corner`` says what the rows are."""

    rows: Mapping[str, Mapping[str, object]]
    _: KW_ONLY
    caption: str = ""
    corner: str = ""

    def lines(self) -> list[list[str]]:
        """Return all lines of cells, from the column names on. A figure that a row lacks is left empty."""
        columns = [*dict.fromkeys(column for row in self.rows.values() for column in row)]
        cells = ([name, *(str(row.get(column, "")) for column in columns)] for name, row in self.rows.items())
        return [[self.corner, *columns], *cells]


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


Findings = Iterator[FigureTable | Aim | Count]


@dataclass(frozen=True, kw_only=True)
class Section:
    """What a measure found, with its name, its title, and how it was made."""

    name: str
    title: str
    method: str
    tables: Sequence[FigureTable]
    aims: Sequence[Aim]
    counts: Sequence[Count]


def name_of(measure: ModuleType) -> str:
    """Return the name that the command line has for a measure."""
    return measure.__name__.rpartition(".")[2].replace("_", "-")


def section(measure: ModuleType, subject: Any, scale: object) -> Section:
    """Make a measure. Its docstring has the title, then the method, with the module's constants in braces."""
    title, method = inspect.cleandoc(measure.__doc__ or "").split("\n", 1)
    found = list(measure.measure(subject, scale))
    return Section(
        name=name_of(measure),
        title=title.removesuffix("."),
        method=" ".join(method.split()).format(**vars(measure), scale=scale),
        tables=[each for each in found if isinstance(each, FigureTable)],
        aims=[each for each in found if isinstance(each, Aim)],
        counts=[each for each in found if isinstance(each, Count)],
    )


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, such as ``1 call`` or ``2.5 units``."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
