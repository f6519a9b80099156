"""Fits the help of a command into the width of a terminal."""

from __future__ import annotations

import argparse
import re
import textwrap

TERM = re.compile(r"  \S.*?  +")
"""What a line of a list begins with: the term that the rest of the line explains."""


class HelpFormatter(argparse.HelpFormatter):
    """Wraps paragraphs and lists, and leaves examples as they are, so that they can be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:  # noqa: ARG002 (argparse gives it)
        return "\n\n".join(_fitted(part, width) for part in text.strip("\n").split("\n\n"))


def _fitted(part: str, width: int) -> str:
    if part.startswith("  "):
        return "\n".join(_fitted_item(item, width) for item in re.split(r"\n(?=  \S)", part))
    return part if "\n  " in part else textwrap.fill(part, width, break_on_hyphens=False)


def _fitted_item(item: str, width: int) -> str:
    """Wrap a term and its explanation, which goes on below itself, or begins there if the term is long."""
    first, *others = item.split("\n")
    if term := TERM.match(first):
        explained, heading, column = [first[term.end() :], *others], "", term.end()
        opening = term[0]
    else:
        explained, heading, column = others, f"{first}\n", len(others[0]) - len(others[0].lstrip())
        opening = " " * column
    text = " ".join(map(str.strip, explained))
    return heading + textwrap.fill(
        text, width, initial_indent=opening, subsequent_indent=" " * column, break_on_hyphens=False
    )
