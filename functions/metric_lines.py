"""Metrics as log lines, from which CloudWatch reads them.

CloudWatch User Guide, "Specification: Embedded metric format".
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Final

from functions.contract.metric_names import BYTES, NAMESPACE, ROUND_AGE, SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNITS: Final = {BYTES: "Bytes", SECONDS: "Seconds", ROUND_AGE: "Seconds"}
"""The units of the metrics that aren't counts."""


def write_metrics(dimensions: Mapping[str, str], values: Mapping[str, float | Sequence[float]]) -> None:
    """Write one line with the values of metrics to stdout. A metric can have several values in a line.

    The line has these ``dimensions`` and no others, so nothing about a receipt or its uploader.
    """
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": UNITS.get(name, "Count")} for name in values],
    }
    metadata = {"Timestamp": round(time.time() * 1000), "CloudWatchMetrics": [directive]}
    line = json.dumps({"_aws": metadata, **dimensions, **values}, separators=(",", ":"))
    sys.stdout.write(f"{line}\n")
