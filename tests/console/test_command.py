"""`bill-e console` serves until it is interrupted, and says what it lacks."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from email.message import Message
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit

import pytest

from cli.console import serve
from cli.console.app import open_console
from cli.console.session import Session
from cli.stack import read_outputs_file
from functions.sealing.note import VerifierKey
from local import REPOSITORY
from tests.cli.conftest import Run
from tests.cli.conftest import bill_e as bill_e
from tests.cli.fake_stack import TOKEN, Answer, FakeStack, entry, running
from tests.console.served import Served, served
from tests.console.sockets import opened


@contextmanager
def started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "console", "--no-browser", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_an_address_and_ends_when_it_is_interrupted(
    stack: FakeStack, tmp_path: Path, number: signal.Signals
) -> None:
    stack.entries.append(entry())
    with started("--outputs", stack.write_outputs(tmp_path)) as process:
        assert process.stdout
        assert process.stderr
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?secret=[\w-]{43}", address)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert opener.open(address, timeout=60).status == 200
        parts = urlsplit(address)
        receipts = opener.open(f"http://{parts.netloc}/api/receipts?limit=1", timeout=60)
        assert b"receipt.png" in receipts.read()

        process.send_signal(number)

        assert process.wait(60) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == "this address works once, in one browser; Ctrl-C ends the console\n"


class SilentStack(FakeStack):
    """A stack that doesn't answer uploads until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()

    def _put_object(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        if method == "PUT":
            self.asked.release()
            self.may_answer.wait(60)
        return super()._put_object(method, target, headers, body)


@pytest.mark.parametrize("is_whole", [True, False])
def test_it_ends_while_uploads_are_under_way(tmp_path: Path, is_whole: bool) -> None:
    stack = SilentStack()
    with (
        running(stack),
        started("--outputs", stack.write_outputs(tmp_path)) as process,
        ExitStack() as open_ones,
    ):
        open_ones.callback(stack.may_answer.set)
        assert process.stdout
        address = urlsplit(process.stdout.readline().strip())
        assert address.port
        page = Served(port=address.port, session=Session(address.port))
        answer = page.ask("GET", f"/?{address.query}", {})
        page.cookie["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        for number in range(10):
            upload = open_ones.enter_context(opened(page))
            upload.announce(b"receipt", size_bytes=7 if is_whole else 8, key=f"{number}.png")
            upload.send(b"receipt")
            assert upload.told() == {"taken": 7}
        for _ in range(10 if is_whole else 0):
            assert stack.asked.acquire(timeout=60)

        process.send_signal(signal.SIGINT)

        assert process.wait(20) == 0
        assert stack.objects == {}


@pytest.mark.claim(
    "the console is reached from its own machine alone",
    section="The console",
)
def test_it_is_reached_from_this_machine_alone() -> None:
    with serve.listen(None) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_it_opens_the_browser_unless_told_not_to(
    bill_e: Run, stack: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: SimpleQueue[str] = SimpleQueue()
    monkeypatch.setattr("webbrowser.open", opened.put)
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    outputs = stack.write_outputs(tmp_path)

    ran = bill_e("console", "--outputs", outputs)
    assert (ran.code, opened.get(timeout=60)) == (0, ran.out.strip())

    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("it was opened"))
    assert bill_e("console", "--outputs", outputs, "--no-browser").code == 0


def test_a_port_that_is_taken_is_said_to_be(bill_e: Run, stack: FakeStack, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

        ran = bill_e("console", "--port", str(port), "--outputs", stack.write_outputs(tmp_path))

    assert ran.refusal() == f"bill-e: port {port} of 127.0.0.1 can't be used: Address already in use\n"


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_is_a_number(bill_e: Run, port: str) -> None:
    assert f"'{port}' is not a port" in bill_e("console", "--port", port, "--outputs", "o.json").error(2)


def without(package: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `bill-e` where a package isn't installed."""
    program = f"import sys; sys.modules[{package!r}] = None; from cli import start; sys.exit(start())"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "wsproto"])
def test_without_its_packages_it_says_how_to_get_them(stack: FakeStack, tmp_path: Path, package: str) -> None:
    outputs = stack.write_outputs(tmp_path)

    ran = without(package, "console", "--outputs", outputs)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"bill-e: the console needs the package {package}: install Bill-E with its extra, "
        "`pip install 'bill-e[console]'`\n"
    )
    assert without(package, "receipts", "--outputs", outputs).returncode == 0


@contextmanager
def console_of(stack: FakeStack, folder: Path, pinned: VerifierKey | None) -> Iterator[Served]:
    access = read_outputs_file(stack.write_outputs(folder))
    with open_console(access, name="dev", token=TOKEN, pinned=pinned) as console, served(console) as made:
        made.sign_in()
        yield made


def test_the_key_that_the_person_gives_goes_before_that_of_the_stack(
    stack: FakeStack, tmp_path: Path
) -> None:
    own, of_stack = (VerifierKey(name=name, public_key=bytes(32)) for name in ("own", "of.stack"))
    stack.log_public_key = str(of_stack)

    for pinned, key, by in ((None, of_stack, "stack"), (own, own, "option")):
        with console_of(stack, tmp_path, pinned) as page:
            about = page.get("/api/session").json

        assert (about["log_origin"], about["log_public_key"]) == (key.name, str(key))
        assert about["pinned_by"] == by


def test_a_key_of_the_stack_that_isnt_one_is_said_to_be(
    bill_e: Run, stack: FakeStack, tmp_path: Path
) -> None:
    stack.log_public_key = "not a key"

    refusal = bill_e("console", "--outputs", stack.write_outputs(tmp_path)).refusal()

    assert refusal.startswith("bill-e: the stack's output log_public_key can't be used: not a verifier key")
