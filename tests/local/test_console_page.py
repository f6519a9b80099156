"""The console's page on the whole stack: from the file that somebody drops to the proof of its entry."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, expect

from cli.stack import read_outputs_file
from functions.contract import schema
from tests.console.page.browsing import CHROMIUM, chromium_started, visiting
from tests.local.stack import DeployedStack, deployed_stack, png
from tests.local.test_sealer import seal


@pytest.fixture
def own_stack() -> Iterator[DeployedStack]:
    """A stack in whose ledger something may be changed."""
    with deployed_stack() as stack:
        yield stack


@pytest.fixture
def chromium(own_stack: DeployedStack) -> Iterator[Browser]:  # noqa: ARG001 - deploying uses asyncio
    """A browser that is started when nothing else uses asyncio any more."""
    with chromium_started() as browser:
        yield browser


def change(stack: DeployedStack, key: str) -> None:
    """Change an entry, as only an administrator can."""
    dynamodb, table = stack.administrator.client("dynamodb"), stack.outputs["ledger_table"]
    (entry,) = [item for item in dynamodb.scan(TableName=table)["Items"] if item["key"]["S"] == key]
    dynamodb.update_item(
        TableName=table,
        Key={name: entry[name] for name in (schema.FINGERPRINT, schema.ENTRY)},
        UpdateExpression="SET size_bytes = :size",
        ExpressionAttributeValues={":size": {"N": "1"}},
    )


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed")
@pytest.mark.claim(
    "the page of the console verifies what was sealed, and nothing that was changed afterwards",
    section="Only what is true enters the ledger",
)
def test_an_upload_is_recorded_sealed_and_verified_and_not_once_it_is_changed(
    chromium: Browser, own_stack: DeployedStack, tmp_path: Path
) -> None:
    name = f"taxi {uuid.uuid4()}.png"
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps(own_stack.description()))
    with visiting(chromium) as visits:
        page = visits.open(read_outputs_file(outputs), "#/upload")
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose files").click()
        chooser.value.set_files([FilePayload(name=name, mimeType="", buffer=png())])
        page.get_by_role("row").filter(has_text=name).get_by_role("link", name="Accepted").click()
        expect(page.get_by_text(re.compile("^(Not sealed yet|Verified)")).first).to_be_visible()
        seal(own_stack)

        expect(page.get_by_text("Verified", exact=True)).to_be_visible()

        change(own_stack, name)
        page.reload()
        expect(page.get_by_text("Not verified", exact=True)).to_be_visible()
        page.get_by_role("link", name="Overview").click()
        expect(page.get_by_role("region", name="The log")).to_contain_text("Verified: signed with")
        expect(page.get_by_role("region", name="Operation")).to_contain_text("There are none.")
