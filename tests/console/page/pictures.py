"""Takes the pictures of the console in docs/: ``python -m tests.console.page.pictures``. Needs Chromium."""

from __future__ import annotations

import hashlib
import io
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from cli.stack import read_outputs_file
from tests.cli.auditor.packages import KEY
from tests.cli.fake_stack import FakeStack, running
from tests.console.page.browsing import chromium_started, visiting
from tests.console.page.ledgers import Entry, Ledger, view_of

REPOSITORY = Path(__file__).parents[3]
DOCS = REPOSITORY / "docs"
SAMPLES = REPOSITORY / "samples"
NOW = datetime(2026, 11, 27, 10, 42, 17, 480_000, tzinfo=UTC)
SIZE = {"width": 1280, "height": 800}
COLOURS = 96
"""A picture with so few has a third of the bytes, and looks the same."""

PEOPLE = ("erika", "jonas", "scanner-hall-2", "mail-room")
SHOPS = (
    "Bäckerei Süß",
    "Corner Café",
    "Hotel Adler",
    "Taxi 4711",
    "Stationery & more",
    "Railways",
    "Phone bill",
)
TYPES = {"pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
DAMAGED: Entry = {
    "outcome": "REJECTED",
    "reason": "damaged",
    "detail": "ends after 5,000 bytes, inside the chunk IDAT",
}
REJECTIONS: tuple[Entry, ...] = (
    DAMAGED,
    {"outcome": "REJECTED", "reason": "unsupported_type", "detail": None, "media_type": None},
    {"outcome": "REJECTED", "reason": "empty", "detail": None, "media_type": None, "size_bytes": 0},
)


def fill(ledger: Ledger) -> Entry:
    """Record a month of receipts, and seal them. Return the one that a picture is of."""
    chance = random.Random(27)  # noqa: S311 - a ledger that looks the same each time
    recorded: list[Entry] = []
    at = NOW - timedelta(days=30)
    number = 0
    while at < NOW - timedelta(minutes=3):
        number += 1
        name, kind = chance.choice(SHOPS), chance.choice([*TYPES])
        members: Entry = {
            "key": f"{at:%Y/%m}/{name} {number:04}.{kind}",
            "media_type": TYPES[kind],
            "size_bytes": chance.randrange(20_000, 2_000_000),
            "uploader": _by(chance.choice(PEOPLE)),
            "at": at,
        }
        draw = chance.random()
        if draw < 0.1 and recorded:
            first = chance.choice(recorded[-40:])
            same = {name: first[name] for name in ("media_type", "size_bytes")}
            ending = first["key"].rpartition(".")[2]
            ledger.add_duplicate(first, **{**members, **same, "key": f"{at:%Y/%m}/scan {number:04}.{ending}"})
        elif draw < 0.17:
            ledger.add(**{**members, **chance.choice(REJECTIONS)})
        else:
            findings = ["encrypted"] if kind == "pdf" and draw > 0.95 else []
            recorded.append(ledger.add(**members, findings=findings))
        weekend = at.weekday() >= 5
        at += timedelta(minutes=chance.expovariate(1 / (400 if weekend else 70)))
    body = (SAMPLES / "good/coffee shop.png").read_bytes()
    first = ledger.add(
        body, key="2026/11/Corner Café 0412.png", uploader=_by("erika"), at=NOW - timedelta(seconds=95)
    )
    ledger.add_duplicate(
        first, body, key="2026/11/scan.png", uploader=_by("mail-room"), at=NOW - timedelta(seconds=31)
    )
    ledger.add(
        key="2026/11/invoice\u202efdp.exe",
        at=NOW - timedelta(seconds=8),
        uploader=_by("mail-room"),
        **REJECTIONS[1],
    )
    for each in ledger.stack.entries:
        each["salt"] = hashlib.sha256(each["key"].encode()).hexdigest()[:32]
    ledger.seal(NOW - timedelta(seconds=2))
    return first


def _by(person: str) -> dict[str, object]:
    return {"principal": f"AWS:AROAEXAMPLE:{person}", "source_ip": "192.0.2.7", "via": "put", "caller": None}


def take(page: Page, receipt: Entry, scheme: str) -> Iterator[tuple[str, bytes]]:
    """Take a picture of each view."""
    expect(page.get_by_role("link", name="scan.png")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    yield f"console-ledger-{scheme}", page.screenshot()
    base = page.url.partition("#")[0]
    page.goto(f"{base}{view_of(receipt)}")
    expect(page.get_by_text("Verified", exact=True)).to_be_visible()
    page.get_by_role("img", name="The receipt, as it was uploaded").evaluate("image => image.decode()")
    yield f"console-receipt-{scheme}", page.screenshot()
    page.goto(f"{base}#/overview")
    expect(page.get_by_text("entries sealed")).to_be_visible()
    expect(page.get_by_text("Entries of each day, as a table")).to_be_visible()
    yield f"console-overview-{scheme}", page.screenshot()


def pictures(browser: Browser, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Take all pictures, in light and in dark."""
    with running(FakeStack()) as stack, visiting(browser) as visits:
        ledger = Ledger(stack, folder)
        receipt = fill(ledger)
        access = read_outputs_file(stack.write_outputs(folder))
        for scheme in ("light", "dark"):
            page = visits.open(access, pinned=KEY, viewport=SIZE, color_scheme=scheme)
            page.clock.set_fixed_time(NOW)
            page.reload()
            yield from take(page, receipt, scheme)


def compressed(picture: bytes) -> bytes:
    """Write a picture with few colours."""
    out = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


def main(kept: Sequence[str]) -> None:
    """Take the pictures, and keep those with these names, or all."""
    with tempfile.TemporaryDirectory() as folder, chromium_started() as browser:
        for name, picture in pictures(browser, Path(folder)):
            if not kept or name in kept:
                (DOCS / f"{name}.png").write_bytes(compressed(picture))


if __name__ == "__main__":
    main(sys.argv[1:])
