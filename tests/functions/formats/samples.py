"""A file, and what should be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.processor.formats.inspector import Inspection, Inspector

if TYPE_CHECKING:
    from functions.contract.entry import ContentFinding


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A whole file, of its type and with its findings."""

    data: bytes
    media_type: str
    findings: tuple[ContentFinding, ...] = ()
    typed_from: int = 100
    """Fewer bytes may be too few to have a type."""

    whole_from: int | None = None
    """How many of its bytes are a whole file by themselves, if fewer than all of them are."""

    @property
    def expected(self) -> Inspection:
        return Inspection(media_type=self.media_type, findings=self.findings)


def inspect(*chunks: bytes) -> Inspection:
    """Let chunks go through an inspector."""
    inspector = Inspector()
    for chunk in chunks:
        inspector.feed(chunk)
    return inspector.finish()
