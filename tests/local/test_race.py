from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from local.queues import depth, processor_held
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack, png

UPLOADS = 200
UPLOADERS = 16


def test_of_the_same_bytes_uploaded_at_once_one_is_accepted_and_the_others_are_its_duplicates(
    stack: DeployedStack,
) -> None:
    content = png()
    # Once all are there, the processors start together, each with as many messages as it can take.
    with processor_held(stack), ThreadPoolExecutor(UPLOADERS) as pool:
        uploads = list(pool.map(lambda number: stack.upload(f"race/{number}.png", content), range(UPLOADS)))
    eventually("an empty queue", lambda: depth(stack).total == 0)

    entries = [entry for entry in stack.entries() if entry["fingerprint"] == uploads[0].fingerprint]

    assert {entry["version_id"] for entry in entries} == {uploaded.version_id for uploaded in uploads}
    assert Counter(entry["outcome"] for entry in entries) == {"ACCEPTED": 1, "DUPLICATE": UPLOADS - 1}
    (first,) = (entry for entry in entries if entry["outcome"] == "ACCEPTED")
    pointed_to = {name: first[name] for name in ("bucket", "key", "version_id")}
    assert all(entry["duplicate_of"] == pointed_to for entry in entries if entry is not first)
