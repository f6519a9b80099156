"""Receipts that a person can read, each unlike the others, and what else arrives with them."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from PIL import Image, ImageDraw, ImageFont

from functions.contract.entry import Reason
from local.whole_files import png, printed_pdf
from local.workload import ODD_NAMES, Planned

PEOPLE = ("erika", "jonas", "till-3", "scanner-2")

SHOPS = {
    "Bäckerei Süß": (("Espresso", 280), ("Brezel", 110), ("Käsekuchen", 420), ("Brot, 1 kg", 560)),
    "Taxi Nord": (("Fare", 1850), ("Luggage", 100), ("Airport", 4200)),
    "Office & More": (("Paper A4, 500", 549), ("Toner", 8990), ("Pens, 12", 720), ("Folder", 199)),
    "Grand Hotel": (("Room, 1 night", 12900), ("Breakfast", 1800), ("Parking", 1500)),
    "Railways": (("Single, 2nd class", 5990), ("Seat", 490), ("Day ticket", 8900)),
    "Café 'Zum Löwen'": (("Lunch", 1390), ("Water", 320), ("Coffee", 290)),
}
VAT_PERCENT = 19
WIDTH = 34
"""In characters."""

RULE = "-" * WIDTH

BETWEEN_COPIES = 20
"""How many uploads lie between a receipt and a copy of it, unless the end comes before."""

SCRIPT = "app.alert('This is what a receipt must not do.')"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """An upload, and which of `PEOPLE` sends it."""

    sender: str
    upload: Planned


def printed_receipts(count: int, *, too_large_bytes: int, today: date, dice: random.Random) -> list[Sent]:
    """Plan so many uploads (100 or more), in random order: receipts, and some of every other kind."""

    def some(share: float) -> range:
        return range(max(1, int(share * count)))

    new = [_receipt(number, today, dice) for number in range(int(count * 0.76))]
    wrong = [
        *(_planned(f"scans/empty {number}.pdf", b"", Reason.EMPTY) for number in some(0.02)),
        *(_planned(f"scans/{number}/", b"", Reason.FOLDER_MARKER) for number in some(0.01)),
        *(_note(number, dice) for number in some(0.03)),
        *(_cut(number, today, dice) for number in some(0.03)),
        _planned("scans/whole archive.png", png(bytes(too_large_bytes)), Reason.TOO_LARGE),
    ]
    odd = [replace(_receipt(count + number, today, dice), key=f"odd/{name}") for number, name in _names(dice)]
    found = [
        *(_planned(f"mail/offer {number}.pdf", _pdf(number, today, dice, SCRIPT)) for number in some(0.02)),
        *(
            _planned(f"mail/forwarded {number}.pdf", _pdf(number, today, dice) + b"\n--\nSent from my phone")
            for number in some(0.02)
        ),
    ]
    mixed = [*new, *wrong, *odd, *found]
    dice.shuffle(mixed)
    for number in some(0.1):
        receipt = dice.choice(new)
        # Several uploads run at the same time, and the first of two is the receipt.
        after = min(mixed.index(receipt) + BETWEEN_COPIES, len(mixed))
        mixed.insert(dice.randint(after, len(mixed)), _again(receipt, number, dice))
    return [Sent(sender=dice.choice(PEOPLE), upload=upload) for upload in mixed]


def _names(dice: random.Random) -> Sequence[tuple[int, str]]:
    return [*enumerate(dice.sample(ODD_NAMES, 8))]


def _planned(key: str, content: bytes, reason: Reason | None = None) -> Planned:
    return Planned(key=key, content=content, reason=reason)


def _receipt(number: int, today: date, dice: random.Random) -> Planned:
    shop, day, lines = _printed(number, today, dice)
    name = f"{day:%Y/%m}/{shop.lower().replace(' ', '-')}-{number:04}"
    match dice.choice(("pdf", "pdf", "pdf", "png", "jpg")):
        case "pdf":
            return _planned(f"{name}.pdf", printed_pdf(lines))
        case extension:
            return _planned(f"{name}.{extension}", _picture(lines, "PNG" if extension == "png" else "JPEG"))


def _again(receipt: Planned, number: int, dice: random.Random) -> Planned:
    """Send a receipt once more, under its own key or under another one."""
    folder, _, name = receipt.key.rpartition("/")
    return replace(
        receipt, key=dice.choice((receipt.key, f"{folder}/copy {number} of {name}", f"mail/{name}"))
    )


def _note(number: int, dice: random.Random) -> Planned:
    text = f"Dear all, please find the receipt attached. Number {dice.getrandbits(32)}".encode()
    return _planned(f"mail/note {number}.pdf", text, Reason.UNSUPPORTED_TYPE)


def _cut(number: int, today: date, dice: random.Random) -> Planned:
    whole = _picture(_printed(number, today, dice)[2], "PNG")
    return _planned(f"scans/cut off {number}.png", whole[: len(whole) // 2], Reason.DAMAGED)


def _pdf(number: int, today: date, dice: random.Random, script: str = "") -> bytes:
    return printed_pdf(_printed(number, today, dice)[2], script)


def _printed(number: int, today: date, dice: random.Random) -> tuple[str, date, list[str]]:
    """Return the shop of a receipt, its day and its lines."""
    shop = dice.choice([*SHOPS])
    bought = dice.choices(SHOPS[shop], k=dice.randint(1, 5))
    day, total = today - timedelta(days=dice.randrange(90)), sum(price for _, price in bought)
    return (
        shop,
        day,
        [
            shop.center(WIDTH),
            f"{day:%Y-%m-%d}   No. {number:04}-{dice.randrange(10**6):06}".center(WIDTH),
            RULE,
            *(f"{item:<24}{_euros(price):>10}" for item, price in bought),
            RULE,
            f"{'Total EUR':<24}{_euros(total):>10}",
            f"{f'incl. {VAT_PERCENT} % VAT':<24}{_euros(total * VAT_PERCENT // (100 + VAT_PERCENT)):>10}",
        ],
    )


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _picture(lines: Sequence[str], kind: str) -> bytes:
    height = 48 + 22 * len(lines)
    picture = Image.new("L", (420, height), 250)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=15)
    for place, line in enumerate(lines):
        left, _, right = line.rpartition("  ")
        top = 24 + 22 * place
        if line == RULE:
            draw.line((24, top + 10, 396, top + 10), fill=120)
            continue
        draw.text((24, top), (left or right).strip(), fill=30, font=font)
        if left:
            draw.text((396, top), right.strip(), fill=30, font=font, anchor="ra")
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()
