"""What the processor can accept, and the time that it needs."""

from __future__ import annotations

from typing import Final

ACCEPTABLE_TYPES: Final = (
    "application/pdf",
    "application/pkcs7-mime",
    "application/xml",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/webp",
    "message/rfc822",
)
"""The media types that a stack can accept, which are those of which the processor reads the structure."""

S3_KEY: Final = "AES256"
"""What S3 calls the encryption with its own key, which everybody can read who may read the object."""

CALL_SECONDS: Final = 25
"""With less time left than this, the processor doesn't begin a call to AWS. The slowest call takes 21 s, and
the pauses between its attempts (`functions.processor.processor.CLIENT_CONFIG`)."""

READ_SECONDS: Final = 6
"""With less time left than this, the processor stops reading an object. A piece times out after 5 s."""
