"""What a process takes, as seen from inside of it."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_kilobytes() -> int:
    """Return the peak resident memory of this process, or of one that it has started if that is more.

    Linux's ``ru_maxrss`` has the memory in it that the parent had before the exec. So this process needs
    `VmHWM`, and the parent of its children is itself.
    """
    unit = 1024 if sys.platform == "darwin" else 1
    own, of_children = (
        resource.getrusage(who).ru_maxrss // unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    if STATUS.exists() and (match := re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())):
        own = int(match[1])
    return max(own, of_children)
