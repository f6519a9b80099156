"""Keys and file names that try to be something else: a path, a command, a picture, another name.

S3 accepts almost any UTF-8 as a key. The ledger and the API's JSON keep a key exactly as it is. The terminal
shows it, but isn't controlled by it. The key of a form has only the harmless characters of a file's name.
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from cli.screen.entries import entry_row
from cli.screen.terminal import Terminal
from functions.contract.entry import Outcome
from functions.contract.file_names import MAX_NAME_BYTES, safe_file_name
from functions.contract.s3_events import LONGEST_KEY_BYTES
from functions.file_links.links import content_disposition
from functions.upload_forms.request import MAX_KEY_PART_BYTES
from local.in_process.events import s3_event
from local.whole_files import png

if TYPE_CHECKING:
    from tests.functions.account import Account

BIDIRECTIONAL_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
FINGERPRINT = "ab" * 32
PREFIX = re.compile(r"incoming/\d{4}/\d\d/\d\d/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/")

HOSTILE_KEYS = [
    *("../../etc/passwd", "a/../../b", "./x", "..", ".", "/abs", "//double//", "a/", "\\..\\x", "C:\\x", "~"),
    *("\x00nul", "a\x00b", "\x1b[2J\x1b[1;1Hgone", "\x1b]0;title\x07", "\x9b31m", "\x07\x08\x7f", "\x85next"),
    *("new\nline", "\r\nACCEPTED", "tab\there", "\u2028\u2029", "\u202egnp.exe", "\u2066a\u2069\u200f\u061c"),
    *("שלום.png", "إيصال.pdf", "cafe\u0301", "café", "\u200bhidden\ufeff", "\U000e0041tag", "\ue000private"),
    *("%2e%2e%2f", "a%2Fb", "100%", "a?b#c&d=e+f", "a b", " lead", "trail ", "${filename}", "$(id)", "`id`"),
    *('{"a": "b"}', '"', "'; DROP TABLE", "<script>", "[red]x[/red]", ":smile:", "[link=file:///x]y", "-rf"),
    *(
        "x" * LONGEST_KEY_BYTES,
        "é" * 512,
        "\x01" * LONGEST_KEY_BYTES,
        "🧾" * 256,
        "\ufffe\uffff",
        "\u0300" * 100,
    ),
]
"""Half surrogates are missing, since a key of S3 is UTF-8, in which they can't be encoded."""

KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=400).filter(
    lambda key: len(key.encode()) <= LONGEST_KEY_BYTES
)


def upload_twice(account: Account, key: str, content: bytes) -> None:
    """Make a receipt and a duplicate of it, as two versions of one key."""
    for event in [s3_event(account.put(key, png(content))) for _ in range(2)]:
        assert account.process(event) == [], key


@pytest.mark.claim(
    "the ledger and the API keep every key exactly as it is, including path tricks, control characters, "
    "1,024 bytes and right-to-left text",
    section="Hostile input",
)
def test_ledger_and_api_keep_every_key_exactly_as_it_is(account: Account) -> None:
    for number, key in enumerate(HOSTILE_KEYS):
        upload_twice(account, key, bytes([number]))

    twice = sorted(HOSTILE_KEYS * 2)
    entries = account.entries()
    assert sorted(entry.upload.version.key for entry in entries) == twice
    assert sorted(each["key"] for each in account.get("/receipts", limit=200).body["entries"]) == twice
    receipts = [entry for entry in entries if entry.outcome is Outcome.ACCEPTED]
    assert sorted(entry.upload.version.key for entry in receipts) == sorted(HOSTILE_KEYS)
    for receipt in receipts:
        key, fingerprint = receipt.upload.version.key, receipt.fingerprint
        history = account.get(f"/receipts/{fingerprint}").body
        (duplicate,) = history["duplicates"]
        assert history["receipt"]["key"] == duplicate["key"] == duplicate["duplicate_of"]["key"] == key
        conflict = account.post(json.dumps({"filename": "x", "size_bytes": 1, "fingerprint": fingerprint}))
        assert (conflict.status, conflict.body["fingerprint"]) == (409, history["receipt"]["fingerprint"])


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=KEYS)
def test_any_key_is_found_again_under_its_own_name(account: Account, key: str) -> None:
    account.empty_ledger()
    upload_twice(account, key, key.encode())

    assert [each["key"] for each in account.get("/receipts").body["entries"]] == [key, key]


def test_keys_that_look_alike_stay_apart(account: Account) -> None:
    alike = [
        "café",
        "cafe\u0301",
        "caf\u0435",
        "cafe",
        "cafe ",
        "cafe\u200b",
        "CAFE",
        "cafe/",
        "./cafe",
        "%63afe",
    ]
    for number, key in enumerate(alike):
        assert account.process(s3_event(account.put(key, png(bytes([number]))))) == []

    assert account.outcomes().keys() == set(alike)


def entry_with(text: str) -> dict[str, Any]:
    """An entry of the API, with a text in every member whose value somebody else can choose."""
    version = {"bucket": "uploads", "key": text, "version_id": text}
    return {
        "outcome": "DUPLICATE",
        "fingerprint": FINGERPRINT,
        **version,
        "size_bytes": 1,
        "media_type": text,
        "uploaded_at": "2026-11-30T12:00:00.000000Z",
        "recorded_at": "2026-11-30T12:00:00.000000Z",
        "uploader": {
            "principal": text,
            "source_ip": text,
            "via": "form",
            "caller": {"principal": None, "issuer": text, "subject": text},
        },
        "duplicate_of": version,
    }


def shown_on(kind: str, text: str) -> str:
    """Show a text in every way that the terminal module has, and return what it wrote."""
    stream = io.StringIO()
    plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    width = {"wide": 200, "narrow": 60, "pipe": 80}[kind]
    console = Console(file=stream, width=width, force_terminal=kind != "pipe", **plain)
    terminal = Terminal(out=console, err=console)
    terminal.table([entry_row(entry_with(text), full_fingerprint=False)])  # type: ignore[arg-type]
    terminal.write(text)
    terminal.write(text, "bold")
    terminal.complain(text)
    terminal.fields({"KEY": text})
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["wide", "narrow", "pipe"])
@given(text=KEYS | st.text(st.characters(), max_size=40))
@example(text="\x1b[2J\x1b]0;title\x07\x9b31m\x7f")
@example(text="\u202egnp.exe\u2066\u2069\u200e\u200f\u061c")
@example(text="a\nb\rc\x0bd\x0ce\x1cf\x85g\u2028h\u2029i\tj")
@example(text="[red]x[/red] [link=https://example.com]y[/link] :smile:")
@example(text="\ud83e half, \U000e0041 tag, \ue000 private, \u200b nothing, \ufeff mark")
@pytest.mark.claim(
    "the command line shows any text, and no text can control the terminal", section="Hostile input"
)
def test_any_text_is_shown_and_no_text_controls_the_terminal(kind: str, text: str) -> None:
    shown = COLOUR.sub("", shown_on(kind, text)) if kind != "pipe" else shown_on(kind, text)

    for character in shown.replace("\n", ""):
        assert character.isprintable() or unicodedata.category(character) == "Zs", ascii(character)
        assert unicodedata.bidirectional(character) not in BIDIRECTIONAL_CONTROLS


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=lambda key: ascii(key)[:20])
def test_a_key_adds_no_line_to_a_pipe(key: str) -> None:
    assert len(shown_on("pipe", key).splitlines()) == len(shown_on("pipe", "lunch.png").splitlines())


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=lambda key: ascii(key)[:20])
def test_a_key_adds_no_colour_to_a_terminal(key: str) -> None:
    """Whatever is in a cell, the only colours on a terminal are those of the outcomes."""
    assert set(COLOUR.findall(shown_on("wide", key))) <= set(COLOUR.findall(shown_on("wide", "lunch.png")))


@given(KEYS | st.text(st.characters(), max_size=40))
@example("\x7f\x80\x9b\u2028")
@pytest.mark.claim("JSON for a terminal is printable ASCII with the same content", section="Hostile input")
def test_json_for_a_terminal_is_printable_ascii_with_the_same_content(text: str) -> None:
    stream = io.StringIO()
    console = Console(file=stream)
    Terminal(out=console, err=console).json({"key": text})

    shown = stream.getvalue()
    assert shown.replace("\n", "").isprintable()
    assert shown.isascii()
    assert json.loads(shown) == json.loads(json.dumps({"key": text}))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filename=st.sampled_from(HOSTILE_KEYS) | st.text(st.characters(), max_size=300))
@example("../" * 80 + "x.png")
@example("a/b\\c/..\\..")
@example("x" * 250 + "領.png")
@example("${filename}")
@example("\u202egnp.exe")
@pytest.mark.claim(
    "a form has a harmless key under the form prefix, short enough for S3, whatever the file is called",
    section="Hostile input",
)
def test_a_form_is_for_a_harmless_key_under_the_prefix_whatever_the_file_is_called(
    account: Account, filename: str
) -> None:
    response = account.post(json.dumps({"filename": filename, "size_bytes": 1, "fingerprint": FINGERPRINT}))

    if response.status != 201:
        assert response.status == 400
        assert response.refused_fields == ["filename"]
        return
    key = response.body["key"]
    match = PREFIX.match(key)
    assert match
    name = key[match.end() :]
    assert response.body["fields"]["key"] == key
    assert len(name.encode()) <= MAX_KEY_PART_BYTES
    assert len(key.encode()) <= LONGEST_KEY_BYTES
    assert name not in {"", ".", ".."}
    assert all(unicodedata.category(character)[0] in "LMN" or character in "-_." for character in name)


@settings(max_examples=300)
@given(key=KEYS | st.sampled_from(HOSTILE_KEYS))
@pytest.mark.claim(
    "whatever the key, the name that a file is saved under is a name and no path, and the header that offers "
    "it to a browser is one line of ASCII",
    section="Hostile input",
)
def test_no_key_gets_out_of_the_folder_or_of_its_header(key: str) -> None:
    name = safe_file_name(key)
    header = content_disposition(name)

    assert name not in {"", ".", ".."}
    assert not set(name) & set('/\\:<>"|?*')
    assert not any(unicodedata.category(character)[0] == "C" for character in name)
    assert len(name.encode()) <= MAX_NAME_BYTES + 1
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert unquote(header.rpartition("UTF-8''")[2]) == name
