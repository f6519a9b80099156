from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.processor.formats import inspector

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def every_chunk_is_read_by_itself() -> Iterator[None]:
    """Small chunks aren't collected first, neither to have more at a time nor to recognise the type."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspector, "PIECE_BYTES", 1)
        patch.setattr(inspector, "HEAD_BYTES", 128)
        yield
