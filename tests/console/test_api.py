"""What the page asks the stack's API goes there signed, and comes back as it is."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cli.caller.http_client import HttpClient
from cli.console.api import SharedAnswers
from functions.contract.entry import format_time
from tests.cli.conftest import Run
from tests.cli.conftest import bill_e as bill_e
from tests.cli.fake_stack import NOW, Answer, FakeStack, entry, problem
from tests.console.served import Served
from tests.console.sockets import opened

each_sign_in = pytest.mark.parametrize("stack", ["iam", "jwt"], indirect=True)
A, B = "a" * 64, "b" * 64


@each_sign_in
def test_the_page_reads_what_the_stack_has(page: Served, stack: FakeStack) -> None:
    stack.entries += [
        entry(fingerprint=A, version_id="v2", recorded_at=format_time(NOW + timedelta(seconds=1))),
        entry(fingerprint=B, key="2026/größe+1%.pdf", outcome="REJECTED", reason="damaged"),
    ]
    stack.proofs[A] = "c2sp.org/tlog-proof@v1\n"

    assert page.get("/api/receipts?limit=1").json == {"entries": stack.entries[:1], "next_cursor": "1"}
    assert page.get("/api/receipts?limit=2&cursor=1").json["entries"] == stack.entries[1:]
    assert page.get("/api/receipts?limit=2&key=gr%C3%B6%C3%9Fe%2B1%25").json["entries"] == stack.entries[1:]
    assert page.get(f"/api/receipts/{A}").json["receipt"] == stack.entries[0]
    assert page.get(f"/api/receipts/{A}/proof").content == b"c2sp.org/tlog-proof@v1\n"
    found = page.ask("POST", "/api/lookup", page.own, b'{"fingerprints": ["%b"]}' % A.encode())
    assert [receipt["fingerprint"] for receipt in found.json["receipts"]] == [A]


def test_the_page_reads_the_log(page: Served, stack: FakeStack, tmp_path: Path) -> None:
    stack.log = tmp_path
    (tmp_path / "tile").mkdir()
    (tmp_path / "tile" / "x001").write_bytes(bytes(range(256)))

    assert page.get("/api/log/tile/x001").content == bytes(range(256))
    assert page.get("/api/log/checkpoint").problem == (404, "log-path-not-found")


def test_the_page_learns_that_an_entry_is_not_sealed_yet(page: Served, stack: FakeStack) -> None:
    stack.planned.append(("GET /receipts/", Answer(202, {"sealed": False}, headers={"Retry-After": "30"})))

    waiting = page.get(f"/api/receipts/{A}/proof?object_id={B}")

    assert (waiting.status, waiting.headers["retry-after"]) == (202, "30")
    assert stack.requests[-1] == f"GET /receipts/{A}/proof?object_id={B}"


@pytest.mark.parametrize("kind", ["text/html", "text/javascript", "image/svg+xml", "TEXT/HTML; x=y"])
def test_no_answer_of_the_stack_becomes_a_page_or_a_script(page: Served, stack: FakeStack, kind: str) -> None:
    stack.planned.append(("GET /receipts?", Answer(200, "alert(1)", content_type=kind)))

    answer = page.get("/api/receipts?limit=1")

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == b"alert(1)"


def test_problems_of_the_stack_are_handed_on(page: Served, stack: FakeStack) -> None:
    errors = [{"field": "limit", "value": "0", "allowed": "1 to 200"}]
    stack.planned.append(("GET /receipts?", problem(400, "invalid-parameter", "no", errors=errors)))

    refused = page.get("/api/receipts?limit=0")

    assert refused.problem == (400, "invalid-parameter")
    assert refused.json["errors"] == errors
    assert page.get(f"/api/receipts/{A}").problem == (404, "receipt-not-found")


@pytest.mark.parametrize(
    ("answer", "expected", "right"),
    [
        (Answer(401, {"message": "Unauthorized"}), (401, "login-ended"), None),
        (Answer(403, {"message": "The security token is expired"}), (401, "login-ended"), None),
        (Answer(403, {"message": "Forbidden"}), (403, "missing-right"), "caller_policy"),
        (Answer(404, {"message": "Not Found"}), (404, "failed"), None),
        (Answer(500, {"message": "Internal Server Error"}), (500, "unavailable"), None),
    ],
)
def test_what_the_gateway_refuses_is_said_in_words(
    page: Served, stack: FakeStack, answer: Answer, expected: tuple[int, str], right: str | None
) -> None:
    stack.planned.append(("GET /receipts", answer))

    refused = page.get("/api/receipts?limit=1")

    assert refused.problem == expected
    assert refused.json.get("missing_right") == right


@pytest.mark.parametrize("stack", ["jwt"], indirect=True)
def test_the_end_of_a_login_is_said_by_each_route(page: Served, stack: FakeStack) -> None:
    stack.token = "another"
    assert {
        page.get("/api/receipts?limit=1").problem,
        page.get(f"/api/receipts/{A}").problem,
        page.get(f"/api/receipts/{A}/proof").problem,
        page.get(f"/api/files/{A}").problem,
        page.get("/api/log/checkpoint").problem,
        page.get("/api/summary").problem,
        page.get("/api/receipts.csv").problem,
        page.ask("POST", "/api/lookup", page.own, b"{}").problem,
    } == {(401, "login-ended")}
    with opened(page) as socket:
        socket.announce(b"x")
        ended = socket.told()
    assert (ended["status"], ended["type"]) == (401, "/problems/login-ended")


def test_a_stack_that_cannot_be_reached_is_said_to_be(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    real = HttpClient.send

    def send(self: HttpClient, make: Any, doing: str) -> Any:
        def elsewhere() -> Any:
            request = make()
            request.url = "http://127.0.0.1:9/"
            return request

        return real(self, elsewhere, doing)

    monkeypatch.setattr(HttpClient, "send", send)

    assert page.get("/api/receipts?limit=1").problem == (503, "unavailable")


def test_a_body_that_is_too_long_is_not_read(page: Served, stack: FakeStack) -> None:
    refused = page.ask("POST", "/api/lookup", page.own, bytes(70_000))

    assert refused.problem == (400, "invalid-request")
    assert stack.requests == []


def test_a_view_is_exported_as_the_command_line_does(
    page: Served, stack: FakeStack, bill_e: Run, tmp_path: Path
) -> None:
    stack.entries += [
        entry(fingerprint=A, key=f"{number}/=cmd|'x'!A0\n,\"", version_id=f"v{number}")
        for number in range(450)
    ]
    stack.entries += [entry(fingerprint=B, key="other")]

    exported = page.get("/api/receipts.csv?key=cmd&from=2026-11-20T12:00:00Z")

    command = ("receipts", "--csv", "--key", "cmd", "--from", "2026-11-20T12:00:00Z", "--outputs")
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    assert exported.headers["content-disposition"] == "attachment; filename=receipts.csv"
    assert exported.content.decode() == bill_e(*command, stack.write_outputs(tmp_path)).out
    assert exported.content.count(b"\r\n") == 451


@pytest.mark.parametrize(
    "query",
    ["limit=1", "key=a&key=b", "unknown=x", "from=yesterday", "outcome=DUPLICATE&reason=damaged"],
)
def test_an_export_of_something_else_is_refused(page: Served, stack: FakeStack, query: str) -> None:
    assert page.get(f"/api/receipts.csv?{query}").problem == (400, "invalid-request")
    assert stack.requests == []


def test_an_export_that_the_stack_refuses_is_no_file(page: Served, stack: FakeStack) -> None:
    stack.planned.append(("GET /receipts", problem(400, "invalid-parameter", "no")))

    assert page.get("/api/receipts.csv?outcome=X").problem == (502, "failed")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_tabs_share_an_answer_for_a_second() -> None:
    clock = Clock()
    answers, asked = SharedAnswers[int](bool, clock), count(1)

    def get(question: str) -> int:
        return answers.get(question, lambda: next(asked))

    assert [get("a"), get("a"), get("b")] == [1, 1, 2]
    clock.now = 0.99
    assert get("a") == 1
    clock.now = 1.0
    assert [get("a"), get("a")] == [3, 3]


def test_few_answers_are_kept() -> None:
    answers, asked = SharedAnswers[int](bool, Clock()), count(1)

    for question in range(40):
        answers.get(str(question), lambda: next(asked))

    assert answers.get("39", lambda: next(asked)) == 40
    assert answers.get("0", lambda: next(asked)) == 41


def test_tabs_that_ask_while_an_answer_is_under_way_wait_for_it() -> None:
    looked_at_the_clock, may_come = threading.Semaphore(0), threading.Event()
    clock, calls = Clock(), count(1)

    def now() -> float:
        looked_at_the_clock.release()
        return clock.now

    def ask() -> int:
        clock.now = 2
        may_come.set()
        # The first has looked twice, and each of the others does when it comes.
        assert all(looked_at_the_clock.acquire(timeout=60) for _ in range(5))
        clock.now = 5
        return next(calls)

    answers = SharedAnswers[int](bool, now)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(answers.get, "a", ask)
        assert may_come.wait(60)
        others = [pool.submit(answers.get, "a", ask) for _ in range(3)]
        assert {one.result() for one in (first, *others)} == {1}


def test_a_question_that_failed_is_asked_again() -> None:
    answers = SharedAnswers[float](bool, Clock())

    with pytest.raises(ZeroDivisionError):
        answers.get("a", lambda: 1 / 0)
    assert answers.get("a", lambda: 1) == 1


def test_a_failure_is_not_kept(page: Served, stack: FakeStack) -> None:
    stack.planned.append(("GET /receipts", Answer(500, {"message": "Internal Server Error"})))

    assert [page.get("/api/receipts?limit=1").status for _ in range(2)] == [500, 200]


def test_the_page_learns_what_it_is_about(page: Served) -> None:
    assert page.get("/api/session").json == {
        "stack": "dev",
        "region": "eu-central-1",
        "api_auth": "iam",
        "bucket": "uploads",
        "upload_prefix": "",
        "max_receipt_bytes": 5_000,
        "max_upload_bytes": 5 * 1024**3,
        "accepted_types": ["image/png", "application/pdf"],
        "names_are_keys": True,
        "log_origin": None,
        "log_public_key": None,
        "pinned_by": None,
        "version": "0.1.0",
        # A fake stack doesn't say who signs.
        "user": None,
        "can": {"upload": True, "operate": False},
    }
