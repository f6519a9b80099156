"""The media types that a stack can accept."""

from __future__ import annotations

from typing import Final

ACCEPTABLE: Final = (
    "application/pdf",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/webp",
)
