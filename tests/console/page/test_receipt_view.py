"""A receipt in a browser: the document, what its entry says, and what the page proves of it."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import Locator, Page, expect

from functions.sealing.note import VerifierKey
from local.whole_files import jpeg, pdf, png
from tests.cli.auditor.packages import KEY, ORIGIN
from tests.cli.fake_stack import Answer, problem
from tests.console.page.conftest import Open
from tests.console.page.ledgers import Ledger, object_id, view_of

GIF = base64.b64decode("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=")
NO_OTHER = (
    "No. The ledger has no other entry of these bytes. The proof doesn't cover that: it is of this one entry."
)
NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def answer(page: Page, question: str) -> Locator:
    """The answer to one of the questions at the top."""
    return page.get_by_role("term").filter(has_text=question).locator("xpath=following-sibling::dd")


def verdict(page: Page) -> Locator:
    """Whether anything has been changed."""
    return answer(page, "Has anything been changed?")


def steps(page: Page) -> Locator:
    """The steps of the proof."""
    return page.get_by_role("region", name="Proof").get_by_role("listitem")


def test_is_verified_by_the_page(open_page: Open, ledger: Ledger) -> None:
    ledger.add(b"another", key="another.png")
    made = ledger.add(png(), key="2026/taxi.png", at=NOON)
    ledger.seal()

    page = open_page(view_of(made))

    expect(page.get_by_role("heading", level=1)).to_have_text("taxi.png")
    expect(verdict(page)).to_have_text(
        "Verified The file and the entry are as they were recorded and sealed."
    )
    expect(steps(page).filter(has_text="Holds")).to_have_count(4)
    expect(steps(page).nth(2)).to_contain_text("The leaf is number 1 of 2 in the log")
    expect(answer(page, "Who sent it?")).to_have_text("AWS:AIDAEXAMPLE from 192.0.2.1")
    expect(answer(page, "Is it whole?")).to_have_text("Yes. PNG, whole from its first byte to its end.")
    expect(answer(page, "Was it sent twice?")).to_have_text(NO_OTHER)
    expect(page.get_by_role("img", name="The receipt, as it was uploaded")).to_be_visible()
    timeline = page.get_by_role("region", name="Time line").get_by_role("listitem")
    expect(timeline).to_have_text(
        [
            "Uploaded to S320 Nov 2026, 11:59:59 UTC",
            "Recorded as accepted20 Nov 2026, 12:00:00 UTC1 s later",
            re.compile("Sealed in the log"),
        ]
    )
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the proof").click()
    assert download.value.suggested_filename == "taxi.png.tlog-proof"


def test_a_tampered_file_is_not_verified(open_page: Open, ledger: Ledger) -> None:
    made = ledger.add(png())
    ledger.seal()
    ledger.stack.objects[made["key"], made["version_id"]] = png(b"forged")

    page = open_page(view_of(made))

    expect(verdict(page)).to_have_text("Not verified The file isn't the one that was recorded.")
    expect(page.get_by_role("alert")).to_contain_text("This file isn't what the entry says.")
    expect(steps(page).nth(0)).to_contain_text("Doesn't hold: these bytes have another SHA-256")
    expect(page.get_by_role("img", name="The receipt, as it was uploaded")).to_have_count(0)
    expect(page.get_by_text("Verified", exact=True)).to_have_count(0)


@pytest.mark.parametrize(
    "change",
    [
        {"uploader": {"principal": "AWS:AIDAFORGED", "source_ip": "192.0.2.1", "via": "put", "caller": None}},
        {"key": "forged.png"},
        {"uploaded_at": "2026-01-01T00:00:00.000000Z"},
        {"findings": ["encrypted"]},
        {"added": "by somebody"},
    ],
)
def test_a_tampered_entry_is_not_verified(open_page: Open, ledger: Ledger, change: dict[str, object]) -> None:
    made = ledger.add(png())
    ledger.seal()
    proof = ledger.stack.proofs[object_id(made)]
    del ledger.stack.objects[made["key"], made["version_id"]]
    made.update(change)
    ledger.stack.objects[made["key"], made["version_id"]] = png()
    ledger.stack.proofs[object_id(made)] = proof

    page = open_page(view_of(made))

    expect(verdict(page)).to_contain_text("Not verified The entry isn't proved")
    expect(steps(page).nth(0)).to_contain_text("Holds")
    expect(steps(page).nth(1)).to_contain_text("Doesn't hold")
    expect(page.get_by_text("Sealed, says the proof; it isn't verified")).to_be_visible()
    expect(page.get_by_text("Verified", exact=True)).to_have_count(0)


@pytest.mark.parametrize("caller", [{}, {"principal": ""}, {"principal": None, "issuer": "", "subject": ""}])
def test_what_the_seal_does_not_cover_is_not_shown(
    open_page: Open, ledger: Ledger, caller: dict[str, object]
) -> None:
    made = ledger.add(png())
    ledger.seal()
    made["uploader"]["caller"] = caller
    made.update(detail="", duplicate_of={})

    page = open_page(view_of(made))

    expect(verdict(page)).to_contain_text("Verified The file")
    expect(answer(page, "Who sent it?")).to_have_text("AWS:AIDAEXAMPLE from 192.0.2.1")
    expect(answer(page, "Was it sent twice?")).to_have_text(NO_OTHER)
    expect(page.get_by_role("term").filter(has_text=re.compile("Detail|Duplicate of"))).to_have_count(0)


def test_another_receipt_is_not_shown_for_the_one_that_was_asked_for(open_page: Open, ledger: Ledger) -> None:
    asked, other = ledger.add(png(b"asked")), ledger.add(png(b"other"))
    ledger.seal()
    page = open_page()
    page.route(
        f"**/api/receipts/{asked['fingerprint']}",
        lambda route: route.fulfill(
            json={"receipt": other, "duplicates": [], "rejections": [], "truncated": False}
        ),
    )

    page.goto(f"{page.url}#/receipt/{asked['fingerprint']}")

    expect(page.get_by_role("alert")).to_contain_text("entries of another fingerprint")
    expect(page.get_by_text("Verified", exact=True)).to_have_count(0)


def test_a_key_that_was_pinned_decides(open_page: Open, ledger: Ledger) -> None:
    made = ledger.add(png())
    ledger.seal()
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()

    right = open_page(view_of(made), pinned=KEY)
    wrong = open_page(view_of(made), pinned=VerifierKey(name=ORIGIN, public_key=other))

    expect(verdict(right)).to_contain_text("Verified The file")
    expect(right.get_by_text("Checked with the key that you gave with --key.")).to_be_visible()
    expect(verdict(wrong)).to_contain_text("Not verified The entry isn't proved")
    expect(steps(wrong).nth(3)).to_contain_text("Doesn't hold: log.example/bill-e, with this key")


def test_an_entry_is_checked_again_until_it_is_sealed(open_page: Open, ledger: Ledger) -> None:
    made = ledger.add(png())
    ledger.seal()
    proof = ledger.stack.proofs.pop(object_id(made))
    page = open_page(view_of(made))
    expect(verdict(page)).to_contain_text("Not sealed yet The file has its fingerprint.")
    expect(page.get_by_role("region", name="Time line")).to_contain_text("Not sealed yet")

    ledger.stack.proofs[object_id(made)] = proof

    expect(verdict(page)).to_contain_text("Verified The file")


@pytest.mark.parametrize(
    ("planned", "why"),
    [
        (
            problem(409, "sealed-late", "The entry has to be searched for."),
            "The entry has to be searched for.",
        ),
        (Answer(200, "c2sp.org/tlog-proof@v1\n", content_type="text/plain"), None),
    ],
    ids=["refused", "unreadable"],
)
def test_without_a_proof_nothing_is_verified(
    open_page: Open, ledger: Ledger, planned: Answer, why: str | None
) -> None:
    made = ledger.add(png())
    ledger.seal()
    ledger.stack.planned.append((f"GET /receipts/{made['fingerprint']}/proof", planned))

    page = open_page(view_of(made))

    if why is None:
        expect(verdict(page)).to_contain_text("Not verified")
    else:
        expect(verdict(page)).to_have_text(f"Not checked The file has its fingerprint. {why}")
    expect(page.get_by_text("Verified", exact=True)).to_have_count(0)


def test_without_a_key_nothing_is_verified(open_page: Open, ledger: Ledger) -> None:
    made = ledger.add(png())
    ledger.seal()
    ledger.stack.log_public_key = None

    page = open_page(view_of(made))

    expect(verdict(page)).to_contain_text("Not checked The file has its fingerprint. The console has no key")


@pytest.mark.parametrize(
    ("principal", "caller", "known", "whole"),
    [
        ("AWS:AROAEXAMPLE:erika", None, "erika", "AWS:AROAEXAMPLE:erika"),
        ("AWS:AIDAEXAMPLE", None, "AIDAEXAMPLE", "AWS:AIDAEXAMPLE"),
        (
            "AWS:AROAFORMS:f",
            {"principal": None, "issuer": "https://login.example", "subject": "max"},
            *("max", "max of https://login.example"),
        ),
    ],
)
def test_the_part_of_a_name_that_a_person_knows_is_marked(
    open_page: Open, ledger: Ledger, principal: str, caller: Any, known: str, whole: str
) -> None:
    sender = {"principal": principal, "source_ip": None, "via": "put", "caller": caller}

    page = open_page(view_of(ledger.add(png(), uploader=sender)))

    expect(answer(page, "Who sent it?")).to_contain_text(whole)
    expect(answer(page, "Who sent it?").locator("strong")).to_have_text(known)


def test_duplicates_are_shown_with_their_receipt(open_page: Open, ledger: Ledger) -> None:
    first = ledger.add(png(), key="first.png")
    again = ledger.add_duplicate(first, png(), key="again.png", restores=True)
    page = open_page(view_of(again))
    expect(answer(page, "Was it sent twice?")).to_have_text(
        "Yes. These bytes were sent twice. See the receipt This upload brought back a receipt that had no "
        "object left."
    )

    uploads = page.get_by_role("region", name="Uploads of these bytes").get_by_role("row")
    expect(uploads.nth(1)).to_contain_text("first.png")
    expect(uploads.nth(2)).to_contain_text("again.png (this one)")
    page.get_by_role("link", name="See the receipt").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("first.png")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(answer(page, "Was it sent twice?")).to_have_text(
        "Yes. These bytes were sent twice. This was the first."
    )


def test_the_way_back_from_another_receipt_keeps_the_filters(open_page: Open, ledger: Ledger) -> None:
    ledger.add_duplicate(ledger.add(png(), key="first.png"), png(), key="again.png")
    page = open_page("#/ledger?outcome=DUPLICATE")
    page.get_by_role("link", name="again.png").click()
    page.get_by_role("link", name="See the receipt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("first.png")

    page.get_by_role("link", name="← Ledger").click()

    expect(page).to_have_url(re.compile(r"#/ledger\?outcome=DUPLICATE$"))


def test_a_damaged_file_says_what_is_wrong(open_page: Open, ledger: Ledger) -> None:
    cut = png()[:20]
    made = ledger.add(cut, outcome="REJECTED", reason="damaged", detail="ends after 20 bytes, inside IHDR")
    ledger.seal()

    page = open_page(view_of(made))

    expect(answer(page, "Is it whole?")).to_have_text("No. The file ends after 20 bytes, inside IHDR.")
    expect(page.get_by_text("This browser can't display the PNG.")).to_be_visible()
    expect(verdict(page)).to_contain_text("Verified")


def test_an_encrypted_file_says_so(open_page: Open, ledger: Ledger) -> None:
    made = ledger.add(pdf(), media_type="application/pdf", findings=["encrypted"])

    page = open_page(view_of(made))

    expect(answer(page, "Is it whole?")).to_contain_text("Encrypted The PDF is encrypted.")


def test_a_file_that_was_not_read_is_found_by_its_key(open_page: Open, ledger: Ledger) -> None:
    other = ledger.add(key="large.png")
    ledger.add(
        key="large.png",
        at=NOON,
        outcome="REJECTED",
        reason="too_large",
        detail=None,
        fingerprint=None,
        media_type=None,
    )
    page = open_page()

    page.get_by_role("row").filter(has_text="Too large").get_by_role("link").click()

    assert other["fingerprint"] not in page.url
    expect(answer(page, "Is it whole?")).to_contain_text("Not known. Too large.")
    expect(page.get_by_text("The file wasn't read when it arrived")).to_be_visible()
    expect(verdict(page)).to_contain_text("Not checked")


@pytest.mark.parametrize(
    ("media_type", "body"), [("image/png", png()), ("image/jpeg", jpeg()), ("image/gif", GIF)]
)
def test_images_are_shown(open_page: Open, ledger: Ledger, media_type: str, body: bytes) -> None:
    page = open_page(view_of(ledger.add(body, media_type=media_type)))

    image = page.get_by_role("img", name="The receipt, as it was uploaded")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def test_a_pdf_is_shown_by_the_browser(open_page: Open, ledger: Ledger) -> None:
    page = open_page(view_of(ledger.add(pdf(), media_type="application/pdf")))

    frame = page.locator("iframe[title='The receipt, as it was uploaded']")
    expect(frame).to_be_visible()
    assert str(frame.get_attribute("src")).startswith("blob:http://127.0.0.1")
    expect(page.get_by_text(f"PDF, {len(pdf()):,} bytes")).to_be_visible()


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"findings": ["active_content"]}, "an embedded program. The browser's viewer runs scripts."),
        ({"findings": ["encrypted"]}, "The PDF is encrypted, and may have a script."),
        (
            {"outcome": "REJECTED", "reason": "damaged", "detail": "is cut"},
            "The PDF was rejected, and may have a script.",
        ),
    ],
)
@pytest.mark.claim(
    "the console shows a PDF that has or may have a script only to those who ask for it",
    section="The console",
)
def test_a_pdf_with_a_script_is_only_shown_if_asked_for(
    open_page: Open, ledger: Ledger, members: dict[str, Any], why: str
) -> None:
    page = open_page(view_of(ledger.add(pdf(), media_type="application/pdf", **members)))
    frame = page.locator("iframe")

    expect(page.get_by_text(why)).to_be_visible()
    expect(page.get_by_text("Holds")).to_be_visible()
    expect(frame).to_have_count(0)
    with page.expect_download():
        page.get_by_role("link", name="Download").click()
    page.get_by_role("button", name="Show it anyway").click()
    expect(frame).to_be_visible()


SCRIPT = b"<script>parent.document.title = document.title = 'run'; fetch('/api/run')</script>"
SVG = (
    b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"document.title='run';fetch('/api/run')\">%b</svg>"
    % SCRIPT
)


@pytest.mark.parametrize(
    ("media_type", "body", "shown"),
    [
        ("text/html", SCRIPT, "The console doesn't show text/html."),
        ("image/svg+xml", SVG, "The console doesn't show image/svg+xml."),
        (None, SCRIPT, "The type of this file is unknown."),
        ("image/tiff", SVG, "The console doesn't show TIFF."),
        ("image/png", SVG, "This browser can't display the PNG."),
        ("image/webp", SCRIPT, "This browser can't display the WebP."),
        ("application/pdf", SCRIPT, f"PDF, {len(SCRIPT):,} bytes"),
    ],
)
def test_a_hostile_document_never_runs(
    open_page: Open, ledger: Ledger, media_type: str | None, body: bytes, shown: str
) -> None:
    asked: list[str] = []
    page = open_page()
    page.context.on("request", lambda request: asked.append(request.url))

    made = ledger.add(body, media_type=media_type)
    page.get_by_role("link", name=made["key"]).click()

    expect(page.get_by_text(shown)).to_be_visible()
    with page.expect_download() as download:
        # While its viewer for PDFs starts, Chromium can lose a click of the mouse.
        page.get_by_role("link", name="Download").dispatch_event("click")
    assert download.value.path().read_bytes() == body
    assert not [url for url in asked if "/api/run" in url]
    expect(page).to_have_title("Receipt - Bill-E")


def test_a_file_that_is_gone_is_said_to_be(open_page: Open, ledger: Ledger) -> None:
    made = ledger.add(png())
    ledger.seal()
    gone = problem(410, "file-gone", "The object version was deleted for good.")
    ledger.stack.planned.append(("GET /files", gone))

    page = open_page(view_of(made))

    expect(
        page.get_by_text("The file can't be shown. The object version was deleted for good.")
    ).to_be_visible()
    expect(verdict(page)).to_have_text(
        "Not checked The entry is as it was sealed, but the file couldn't be loaded."
    )
    page.get_by_role("button", name="Look for the same bytes elsewhere").click()
    expect(verdict(page)).to_contain_text("Verified")


def test_a_large_file_is_only_loaded_if_asked_for(open_page: Open, ledger: Ledger) -> None:
    made = ledger.add(png(), size_bytes=60_000_000)
    ledger.seal()
    page = open_page(view_of(made))
    load = page.get_by_role("button", name="Load and check 60.0 MB")
    expect(verdict(page)).to_contain_text(
        "Not checked The entry is as it was sealed, but the file hasn't been"
    )
    assert not any(route.startswith("GET /files") for route in ledger.stack.requests)

    load.click()

    expect(verdict(page)).to_contain_text("Verified")


@pytest.mark.parametrize("name", ["0" * 64, "1234", "unread"])
def test_what_does_not_exist_is_said(open_page: Open, ledger: Ledger, name: str) -> None:
    page = open_page(f"#/receipt/{name}")

    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such receipt")
    expect(page.get_by_role("alert")).to_be_visible()
    # What can't be a fingerprint isn't asked for: the stack's gateway would say that it isn't allowed.
    assert "GET /receipts/1234" not in ledger.stack.requests
