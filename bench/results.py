"""What a measure hands over: tables, plots, aims and counts. No measure prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells under column names. Cells are formatted text; the first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Lines over a logarithmic or linear x axis. ``name`` becomes the file's name."""

    name: str
    title: str
    x_label: str
    y_label: str
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A figure with the limit it should keep. ``at_most`` false means "at least"."""

    text: str
    figure: float
    limit: float
    unit: str = ""
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether the figure keeps the limit."""
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit


@dataclass(frozen=True, kw_only=True)
class Count:
    """A count that must hold exactly: the bench fails where it doesn't."""

    text: str
    actual: str
    expected: str

    @property
    def holds(self) -> bool:
        """Whether the count is what it must be."""
        return self.actual == self.expected


@dataclass(frozen=True, kw_only=True)
class Result:
    """Everything that one measure found. ``method`` says how, in sentences that a reader can check."""

    name: str
    title: str
    method: str
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    aims: Sequence[Aim] = ()
    counts: Sequence[Count] = ()
