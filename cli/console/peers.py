"""Which user of this machine a connection comes from, where the system tells."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE = Path("/proc/net/tcp")
"""Linux lists both ends of each connection here, and whose they are (proc_net_tcp in its documentation)."""

ESTABLISHED = "01"
ROOT = 0


def is_from_another_user(client: Sequence[object], server: Sequence[object], table: Path = TABLE) -> bool:
    """Whether Linux says that the `client` end of a connection to `server` is another user's.

    Root is not another user: it can read the memory of this process anyway, and it passes connections on
    from the host of a virtual machine. An end that was closed counts as root's, so it isn't asked about.
    """
    try:
        lines = table.read_text("ascii").splitlines()[1:]
    except OSError:
        return False  # another system than Linux
    wanted = [_as_listed(*client), _as_listed(*server), ESTABLISHED]
    users = [int(fields[7]) for fields in map(str.split, lines) if fields[1:4] == wanted]
    return not users or not {os.getuid(), ROOT}.issuperset(users)


def _as_listed(host: object, port: object) -> str:
    address = int.from_bytes(socket.inet_aton(str(host)), sys.byteorder)
    return f"{address:08X}:{port:04X}"
