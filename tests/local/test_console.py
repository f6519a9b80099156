"""``python -m local console``: what a newcomer sees first."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from functions.contract.entry import Reason
from functions.contract.sealing import SETTLING
from functions.sealing.leaf import Leaf
from functions.sealing.proof import Proof
from local import REPOSITORY
from local.commands.console import RECEIPTS
from local.printed_receipts import PEOPLE, printed_receipts
from tests.functions.formats.samples import inspect
from tests.local.eventually import eventually
from tests.local.processes import processes_naming

FROM_THE_FILE = {Reason.EMPTY, Reason.FOLDER_MARKER, Reason.TOO_LARGE}
"""Reasons that need no look at what a file has in it."""


def test_there_is_something_of_every_kind_and_each_is_what_it_is_meant_to_be() -> None:
    sent = printed_receipts(
        RECEIPTS,
        too_large_bytes=100,
        today=date(2026, 11, 27),
        dice=random.Random(1),  # noqa: S311
    )
    uploads = [one.upload for one in sent]
    reasons = Counter(upload.reason for upload in uploads)
    said = [(upload, inspect(upload.content)) for upload in uploads if upload.reason not in FROM_THE_FILE]

    assert {one.sender for one in sent} == {*PEOPLE}
    assert {*reasons} == {None, Reason.DAMAGED, Reason.UNSUPPORTED_TYPE, *FROM_THE_FILE}
    assert len(uploads) - len({upload.content for upload in uploads}) >= RECEIPTS // 10
    for upload, inspection in said:
        assert (inspection.media_type is None) == (upload.reason is Reason.UNSUPPORTED_TYPE), upload.key
        assert (inspection.damage is not None) == (upload.reason is Reason.DAMAGED), upload.key
    findings = {finding for _, inspection in said for finding in inspection.findings}
    assert {"active_content", "trailing_data"} <= findings


def test_a_newcomer_sees_a_few_hundred_receipts_and_nothing_stays_behind(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "console", "--no-browser"],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            opener.open(address, timeout=60)

            def answer(path: str) -> Any:
                target = f"http://{urlsplit(address).netloc}/api/{path}"
                return json.loads(opener.open(target, timeout=60).read())

            def sealed(fingerprint: str) -> Leaf | None:
                target = f"http://{urlsplit(address).netloc}/api/receipts/{fingerprint}/proof"
                with opener.open(target, timeout=60) as said:
                    return Leaf.parse(Proof.parse(said.read().decode()).leaf) if said.status == 200 else None

            def entries() -> int:
                return sum(one["entries"] for one in answer("summary?days=2")["outcomes"])

            eventually("all receipts have entries", lambda: entries() >= RECEIPTS)
            uploaders = [one["uploader"] for one in answer("summary?days=2")["duplicates"]]
            assert {*map(_name, uploaders)} <= {*PEOPLE}
            found = answer("receipts?uploader=erika")["entries"]
            assert found
            assert {_name(entry["uploader"]["principal"]) for entry in found} == {"erika"}
            # The newest ones may be recorded after everything was sealed.
            earlier = answer("receipts?outcome=ACCEPTED&limit=100")["entries"][-1]
            leaf = eventually("it is sealed", lambda: sealed(earlier["fingerprint"]))
            assert leaf.sealed_at - leaf.recorded_at < SETTLING, "only the schedule has sealed it"
            eventually("there is a dead letter", lambda: answer("operations")["dead_letters"].get("value"))
            about = answer("session")
            assert about["can"] == {"upload": True, "operate": True}
            assert (about["stack"], about["user"]) == ("local", "user/auditor")

            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert [*scratch.iterdir()] == []
    assert processes_naming(str(scratch)) == []


def _name(principal: str) -> str:
    """What a person knows of the uploader, as S3 names a session of a role."""
    found = re.fullmatch(r"AWS:AROA\w+:(.+)", principal)
    assert found, principal
    return found[1]
