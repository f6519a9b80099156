"""A listing of the bucket's object versions that an auditor got from S3, and not from the stack.

Either the JSON of ``aws s3api list-object-versions``, or rows of an S3 Inventory report in CSV, whose first
columns are bucket, key, version id, is-latest and is-delete-marker.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from cli.auditor.package import UnusableError
from functions.contract.entry import NULL_VERSION, ObjectVersion

if TYPE_CHECKING:
    from pathlib import Path


def read_listing(path: Path, bucket: str) -> Iterator[ObjectVersion]:
    """Read the object versions, without delete markers. Those in JSON are of this bucket."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            if file.read(1) == "{":
                file.seek(0)
                for each in json.load(file).get("Versions", []):
                    yield ObjectVersion(bucket=bucket, key=each["Key"], version_id=each["VersionId"])
                return
            file.seek(0)
            for row in csv.reader(file, strict=True):
                inventory_bucket, key, version_id, _, deleted, *_ = row
                if deleted != "true":
                    yield ObjectVersion(
                        bucket=inventory_bucket,
                        key=unquote_plus(key),
                        version_id=version_id or NULL_VERSION,
                    )
    except OSError as error:
        raise UnusableError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise UnusableError(f"{path} isn't a listing of object versions: {error!r}") from None
