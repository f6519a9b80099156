from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.console.peers import is_from_another_user
from tests.console.served import Served

NOBODY = 65534
CLIENT, SERVER = ("127.0.0.1", 0xC350), ("127.0.0.1", 0x20FB)
HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
ROW = "   {}: {} {} {} 00000000:00000000 00:00000000 00000000  {}        0 6284507 1 000000003fd5f162 100 0"
HERE, THERE = "0100007F:C350", "0100007F:20FB"


@pytest.mark.parametrize(
    ("rows", "is_another"),
    [
        ([(HERE, THERE, "01", "own")], False),
        ([(HERE, THERE, "01", 0)], False),
        ([(HERE, THERE, "01", "other")], True),
        ([(THERE, HERE, "01", "own"), (HERE, THERE, "01", "other")], True),
        ([(THERE, HERE, "01", "other"), (HERE, THERE, "01", "own")], False),
        ([("0100007F:C351", THERE, "01", "own")], True),
        ([(HERE, THERE, "05", 0)], True),
        ([], True),
    ],
    ids=["own", "root", "other", "its other end", "their other end", "another port", "closed", "gone"],
)
def test_the_connection_is_looked_up_by_both_its_ends(
    tmp_path: Path, rows: list[tuple[str, str, str, str | int]], *, is_another: bool
) -> None:
    users = {"own": os.getuid(), "other": os.getuid() + 1, 0: 0}
    lines = [ROW.format(at, *row[:3], users[row[3]]) for at, row in enumerate(rows)]
    (table := tmp_path / "tcp").write_text("\n".join([HEADING, *lines, ""]))

    assert is_from_another_user(CLIENT, SERVER, table) is is_another


def test_where_the_system_does_not_tell_all_are_let_in(tmp_path: Path) -> None:
    assert not is_from_another_user(CLIENT, SERVER, tmp_path / "tcp")


@pytest.mark.claim(
    "on Linux, the console gives no other user of the machine a session or an answer, whatever they know",
    section="The console",
)
@pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="only root on Linux can become another user"
)
@pytest.mark.parametrize("user", [0, NOBODY])
@pytest.mark.parametrize("target", ["/api/session", "secret"])
def test_another_user_of_the_machine_gets_nothing(stranger: Served, target: str, user: int) -> None:
    if target == "secret":
        target = stranger.session.first_address.removeprefix(stranger.session.address.rstrip("/"))
    else:
        stranger.sign_in()
    program = """
import encodings.idna, http.client, json, os, sys
user, port, target, headers = json.load(sys.stdin)
os.setuid(user)
connection = http.client.HTTPConnection("127.0.0.1", port)
connection.request("GET", target, headers=headers)
print(connection.getresponse().status)
"""
    ran = subprocess.run(
        [sys.executable, "-S", "-c", program],
        input=json.dumps([user, stranger.port, target, stranger.own]),
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(ran.stdout) in ({200, 303} if user == 0 else {403})
