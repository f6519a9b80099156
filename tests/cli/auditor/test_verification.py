from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cli.auditor import package as layout
from cli.auditor import rows, spill, verification
from cli.auditor.cells import CellReader, canonical, record_of_cells
from cli.auditor.findings import MEANINGS, Code, Report
from cli.auditor.log_reading import LEAF
from cli.auditor.verification import Given, verify
from cli.main import main
from cli.screen.entries import CSV_COLUMNS, csv_row
from functions.contract.entry import Uploader
from functions.contract.entry_json import entry_to_json
from functions.sealing.leaf import leaf_of, record_of
from local.in_process.events import BUCKET
from tests.cli.auditor.packages import (
    BIRTH,
    KEY,
    ORIGIN,
    Package,
    entries_of,
    erasure_of,
    package_of,
    sealed,
)

COUNT = 600


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return package_of(tmp_path_factory.mktemp("clean") / "package", COUNT)


@pytest.fixture
def package(clean: Package, tmp_path: Path) -> Package:
    folder = tmp_path / "package"
    shutil.copytree(clean.folder, folder)
    log = replace(clean.log, folder=folder / layout.LOG, leaves=[*clean.log.leaves])
    return Package(folder, log, [*clean.entries])


def codes(package: Package, **changes: Any) -> set[Code]:
    return set(report_of(package, **changes).counts)


def report_of(package: Package, **changes: Any) -> Report:
    return verify(Given(**{"package": package.folder, "key": KEY, **changes}))


def test_what_was_sealed_is_clean_in_both_formats(package: Package) -> None:
    report = report_of(package)

    assert report.findings == []
    assert report.facts["log_size"] == report.facts["entries.csv"] == report.facts["entries.jsonl"] == COUNT
    assert report.notes == []
    assert [each.split(":")[0] for each in report.not_checked] == [
        "whether the log continues what was seen before",
        "whether every upload has an entry",
        "whether each receipt has its file",
    ]


def test_rows_may_be_in_any_order(package: Package) -> None:
    package.write(package.rows[::-1])

    assert not codes(package)


def test_every_process_finds_the_same(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_LARGE", 0)
    monkeypatch.setattr(spill, "_PART_ROWS", 10)
    assert not codes(package)

    package.write(edited(7, size_bytes=8)(package.rows))

    assert codes(package) == {Code.ALTERED}


Change = Callable[[list[Any]], list[Any]]


def edited(index: int, **changes: Any) -> Change:
    return lambda rows: [{**row, **changes} if at == index else row for at, row in enumerate(rows)]


ATTACKS_ON_ROWS: dict[str, tuple[Change, set[Code]]] = {
    "edited": (edited(9, size_bytes=1), {Code.ALTERED}),
    "back-dated": (edited(9, recorded_at="2026-10-01T00:00:00.000000Z"), {Code.ALTERED}),
    "uploader changed": (edited(9, uploader={"principal": "AWS:X", "source_ip": None}), {Code.ALTERED}),
    "salt gone": (edited(9, salt=None), {Code.ALTERED}),
    "deleted": (lambda rows: rows[:9] + rows[10:], {Code.MISSING_ENTRY}),
    "all deleted": (lambda _: [], {Code.MISSING_ENTRY}),
    "inserted": (lambda rows: [*rows, {**rows[0], "key": "new.png"}], {Code.UNSEALED}),
    "twice": (lambda rows: [*rows, rows[0]], {Code.REPEATED}),
    "another object's": (edited(9, key="other.png"), {Code.UNSEALED, Code.MISSING_ENTRY}),
}


@pytest.mark.parametrize(("change", "expected"), ATTACKS_ON_ROWS.values(), ids=ATTACKS_ON_ROWS)
@pytest.mark.parametrize("name", [layout.JSON_LINES, layout.CSV])
def test_changed_rows_are_found_in_either_format(
    package: Package, name: str, change: Change, expected: set[Code]
) -> None:
    other = {layout.JSON_LINES: layout.CSV, layout.CSV: layout.JSON_LINES}[name]
    kept = (package.folder / other).read_bytes()
    package.write(change(package.rows))
    (package.folder / other).write_bytes(kept)
    layout.write_sums(package.folder)

    assert codes(package) == expected


def test_a_formula_without_its_apostrophe_is_found(package: Package) -> None:
    path = package.folder / layout.CSV
    path.write_bytes(path.read_bytes().replace(b'"\'=1+1"', b'"=1+1"'))
    layout.write_sums(package.folder)

    assert codes(package) == {Code.UNSEALED, Code.MISSING_ENTRY}


def test_what_is_no_row_is_found(package: Package) -> None:
    with (package.folder / layout.JSON_LINES).open("ab") as file:
        file.write(b"[]\nx\n")
    layout.write_sums(package.folder)

    report = report_of(package)
    assert report.counts == {Code.UNSEALED: 2}


@pytest.mark.parametrize("name", [layout.JSON_LINES, layout.CSV])
def test_a_format_that_is_gone_is_found(package: Package, name: str) -> None:
    (package.folder / name).unlink()

    assert codes(package) == {Code.MISSING_FILE}


def test_only_the_entries_of_the_period_are_expected(package: Package) -> None:
    start, end = (leaf_of(package.entries[at], BIRTH).recorded_at for at in (10, 20))
    period = {"start": start.isoformat(timespec="microseconds").replace("+00:00", "Z")}
    period["end"] = end.isoformat(timespec="microseconds").replace("+00:00", "Z")
    for rows_there in (package.rows[10:20], package.rows[9:21]):
        package.write(rows_there, **period)
        assert not codes(package)

    package.write(package.rows[11:20], **period)
    assert codes(package) == {Code.MISSING_ENTRY}


def test_an_erased_entry_needs_no_row_if_its_erasure_was_sealed(package: Package) -> None:
    later = BIRTH + timedelta(days=1)
    gone = package.entries.pop(3)
    package.write()
    assert codes(package) == {Code.MISSING_ENTRY}

    package.log.seal([erasure_of(gone, later)])
    package.write()
    report = report_of(package)
    assert not report.counts
    assert report.notes == [f"erased: object {gone.upload.version.object_id}, as was sealed"]


def test_an_entry_that_was_erased_in_part_is_not_altered(package: Package) -> None:
    whole = package.entries[3]
    redacted = replace(whole, upload=replace(whole.upload, uploader=Uploader(principal=None, source_ip=None)))
    package.entries[3] = redacted
    package.write()
    assert codes(package) == {Code.ALTERED}

    package.log.seal([erasure_of(whole, BIRTH + timedelta(days=1))])
    package.write()
    report = report_of(package)
    assert not report.counts
    assert report.notes == [f"erased: object {whole.upload.version.object_id}, as was sealed"]


LOG_FILES = ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88"]


@pytest.mark.parametrize("path", LOG_FILES)
def test_an_edited_file_of_the_log_is_found(package: Package, path: str) -> None:
    file = package.log.folder / path
    data = bytearray(file.read_bytes())
    data[-2] ^= 1
    file.write_bytes(data)
    layout.write_sums(package.folder)

    found = codes(package)
    assert Code.BAD_TILE in found
    assert (Code.BAD_ROOT in found) == path.startswith("tile/entries/")


@pytest.mark.parametrize("path", LOG_FILES)
def test_a_missing_file_of_the_log_is_found(package: Package, path: str) -> None:
    (package.log.folder / path).unlink()
    layout.write_sums(package.folder)

    assert Code.BAD_TILE in codes(package)


def test_a_leaf_changed_with_all_tiles_is_found_by_the_root(package: Package) -> None:
    checkpoint = (package.log.folder / "checkpoint").read_bytes()
    shutil.rmtree(package.log.folder / "checkpoints")
    changed = replace(package.entries[5], size_bytes=77)
    package.log.leaves[5] = replace(
        leaf_of(changed, BIRTH), sealed_at=sealed(package.entries[: COUNT // 2])[0].sealed_at
    ).encode()
    package.log.write()
    package.log.put("checkpoint", checkpoint)
    shutil.rmtree(package.log.folder / "checkpoints")
    package.entries[5] = changed
    shutil.rmtree(package.folder / layout.PROOFS)
    package.write()

    assert codes(package) == {Code.BAD_ROOT}


def rewritten(package: Package) -> bytes:
    """Change an entry and seal the whole log again, with the same key. Return the checkpoint from before."""
    kept = (package.log.folder / "checkpoint").read_bytes()
    package.entries[5] = replace(package.entries[5], size_bytes=77)
    package.log.leaves[5] = replace(
        leaf_of(package.entries[5], BIRTH), sealed_at=sealed(package.entries[: COUNT // 2])[0].sealed_at
    ).encode()
    package.log.write()
    for path in (package.log.folder / "checkpoints").iterdir():
        path.unlink()
    shutil.rmtree(package.folder / layout.PROOFS)
    package.write()
    return kept


def test_a_rewritten_log_is_found_with_a_checkpoint_that_was_kept_and_not_without(
    package: Package, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_bytes(rewritten(package))

    assert codes(package, since=(tmp_path / "kept",)) == {Code.SPLIT_VIEW}
    # What can't be detected: nobody kept a checkpoint.
    assert not codes(package)


def test_an_entry_changed_before_it_was_sealed_is_not_found(package: Package) -> None:
    """What can't be detected: the log has what was in the table when it was sealed."""
    changed = replace(entries_of(1, COUNT)[0], size_bytes=1)
    package.entries.append(changed)
    package.log.seal(sealed([changed]))
    package.write()

    assert not codes(package)


def cut_off(package: Package) -> None:
    """Take back the second batch, with the checkpoint that was signed before it."""
    del package.log.leaves[COUNT // 2 :], package.entries[COUNT // 2 :]
    package.log.write()
    shutil.rmtree(package.folder / layout.PROOFS)
    package.write()


def test_a_truncated_log_is_found_by_its_history(package: Package) -> None:
    cut_off(package)

    assert codes(package) == {Code.TRUNCATED}


def test_a_truncated_log_is_found_without_history_if_a_checkpoint_or_a_row_was_kept(
    package: Package, tmp_path: Path
) -> None:
    shutil.copy(package.log.folder / "checkpoint", tmp_path / "kept")
    rows = package.rows
    cut_off(package)
    (package.log.folder / f"checkpoints/{COUNT}").unlink()
    layout.write_sums(package.folder)

    assert codes(package, since=(tmp_path / "kept",)) == {Code.TRUNCATED}
    assert not codes(package)
    package.write(rows)
    assert codes(package) == {Code.UNSEALED}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 299, 300, 511, 512, 513])
def test_an_honest_log_continues_every_checkpoint_of_it(package: Package, tmp_path: Path, size: int) -> None:
    older = replace(package.log, folder=tmp_path / "older", leaves=package.log.leaves[:size])
    older.write()
    kept = tmp_path / "older" / "checkpoint"

    assert not codes(package, since=(kept,))
    if size:
        older.leaves[0] = b"{}"
        older.write()
        assert codes(package, since=(kept,)) == {Code.SPLIT_VIEW}


def test_another_key_another_origin_and_a_changed_checkpoint_are_found(package: Package) -> None:
    other = Ed25519PrivateKey.generate()
    note = (package.log.folder / "checkpoint").read_text()

    forged = replace(package.log, signer=other)
    forged.write()
    assert codes(package) == {Code.BAD_SIGNATURE}
    package.log.put("checkpoint", note.replace(f"\n{COUNT}\n", f"\n{COUNT - 1}\n").encode())
    assert codes(package) == {Code.BAD_SIGNATURE}
    package.log.put("checkpoint", b"nothing")
    assert codes(package) == {Code.BAD_SIGNATURE}
    package.log.write(origin=f"{ORIGIN}/2")
    assert codes(package) == {Code.BAD_SIGNATURE}
    package.log.put("checkpoint", note.encode())
    package.log.put(f"checkpoints/{COUNT}", note.replace("example", "elsewhere").encode())
    layout.write_sums(package.folder)
    assert codes(package) == {Code.BAD_SIGNATURE}


def test_late_and_back_dated_entries_are_found(package: Package) -> None:
    back_dated = entries_of(2, COUNT)
    package.entries += back_dated
    package.log.seal(leaf_of(each, BIRTH + timedelta(hours=2)) for each in back_dated)
    package.write()

    assert report_of(package).counts == {Code.LATE: 2}
    assert not codes(package, max_delay=timedelta(hours=3))


def test_entries_from_before_the_log_are_told_and_not_found(package: Package) -> None:
    package.log.leaves.clear()
    shutil.rmtree(package.log.folder)
    history = BIRTH + timedelta(seconds=COUNT, minutes=16)
    new = entries_of(1, COUNT + 1000)
    package.entries += new
    package.log.seal(leaf_of(each, history) for each in package.entries)
    shutil.rmtree(package.folder / layout.PROOFS)
    package.write()

    report = report_of(package)
    assert not report.counts
    assert report.notes == [f"{COUNT} entries were recorded before the log began, and sealed with it"]


def test_leaves_out_of_their_time_and_twice_are_found(package: Package) -> None:
    again = package.entries[-1]
    package.log.seal([leaf_of(again, BIRTH - timedelta(days=1))])
    package.write()

    assert codes(package) == {Code.OUT_OF_ORDER, Code.SEALED_TWICE}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (rb"(?s).+", b'{"v":2}'),
        (rb'"fingerprint":"[0-9a-f]{2}', b'"fingerprint":"0x'),
        (rb'"object_id":"[0-9a-f]{2}', b'"object_id":"AB'),
        (rb'"recorded_at":"\d', b'"recorded_at":"x'),
        (rb'"kind"', b'"kinf"'),
        (rb'"v":1', b'"v":2'),
    ],
)
def test_what_is_no_leaf_is_found(package: Package, right: bytes, wrong: bytes) -> None:
    new = entries_of(3, COUNT)
    leaves = [each.encode() for each in sealed(new)]
    leaves[1] = re.sub(right, wrong, leaves[1], count=1)
    package.log.seal(leaves)
    package.entries += [new[0], new[2]]
    package.write()

    assert report_of(package).counts == {Code.BAD_TILE: 1}


def test_a_proof_of_another_leaf_is_found(package: Package) -> None:
    path = package.folder / layout.PROOFS / f"7{layout.PROOF_SUFFIX}"
    path.write_text(path.read_text().replace("index 7", "index 8"))
    layout.write_sums(package.folder)

    assert codes(package) == {Code.BAD_PROOF}


def test_changed_and_missing_files_are_found(package: Package) -> None:
    package.write(files=True)
    first, second, third, *_ = sorted((package.folder / layout.FILES).iterdir())
    first.write_bytes(b"other")
    second.unlink()
    third.rename(third.with_name("receipt.png"))
    (package.folder / layout.KEY).write_text("not in SHA256SUMS")
    with (package.folder / layout.SUMS).open("a") as sums:
        sums.write(f"{'0' * 64}  package.json\n{'0' * 64}  ../outside\n")

    # The second and the third are missed by SHA256SUMS and by their entries.
    assert report_of(package).counts == {Code.FILE_DIFFERS: 3, Code.MISSING_FILE: 5}


def test_a_receipt_without_its_file_is_found_unless_the_package_has_no_files(package: Package) -> None:
    receipt = package.entries[0].fingerprint
    (package.folder / layout.FILES / str(receipt)).unlink()
    package.write(files=True)
    (found,) = report_of(package).findings
    assert (found.code, found.about) == (Code.MISSING_FILE, f"files/{receipt}")

    package.log.seal([erasure_of(package.entries[0], BIRTH + timedelta(days=1))])
    package.write(files=True)
    assert not codes(package)

    package.write()
    report = report_of(package)
    assert not report.counts
    assert "whether each receipt has its file: the package doesn't say that it has all" in report.not_checked


def test_a_file_without_its_entry_is_noted(package: Package) -> None:
    other = b"no receipt of this package"
    (package.folder / layout.FILES / hashlib.sha256(other).hexdigest()).write_bytes(other)
    package.write(files=True)

    report = report_of(package)
    assert not report.counts
    assert "1 files are of no accepted entry in the package" in report.notes


def version_of(number: int) -> dict[str, str]:
    version = entries_of(1, number)[0].upload.version
    return {"Key": version.key, "VersionId": version.version_id}


def test_an_upload_without_entry_is_found_in_both_listings(package: Package, tmp_path: Path) -> None:
    listing = tmp_path / "versions.json"
    versions = [version_of(number) for number in range(10)]
    listing.write_text(json.dumps({"Versions": versions}))
    assert not codes(package, objects=listing)
    listing.write_text(json.dumps({"Versions": [*versions, {"Key": "new", "VersionId": "v"}]}))
    report = report_of(package, objects=listing)
    assert [(each.code, each.about) for each in report.findings] == [
        (Code.UPLOAD_WITHOUT_ENTRY, "key 'new', version v")
    ]

    inventory = tmp_path / "inventory.csv"
    key = entries_of(1, 20)[0].upload.version.key.replace(" ", "+")
    inventory.write_text(f'"{BUCKET}","{key}","v1","true","false"\n"{BUCKET}","x","v","true","true"\n')
    assert not codes(package, objects=inventory)
    inventory.write_text(f'"{BUCKET}","{key}","v2","true","false","7"\n')
    assert codes(package, objects=inventory) == {Code.UPLOAD_WITHOUT_ENTRY}


SPECIAL = (
    "x.png",
    "=x",
    "'",
    "''",
    "'=",
    "@",
    "\n",
    "x\n",
    "x\t",
    "x\r\n",
    "x\x1f",
    "\\",
    "%",
    '"',
    '","',
    "<1>",
    "é",
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(TEXT, TEXT, st.sampled_from(SPECIAL), st.integers(0, 9))
def test_a_row_of_csv_gives_its_record_back(principal: str, key: str, start: str, number: int) -> None:
    row: Any = {
        **package_row(number),
        "key": start + key,
        "uploader": {"principal": principal, "source_ip": None, "caller": {"issuer": key, "subject": None}},
    }
    line = line_of_csv(row)

    record = record_of_cells([name.split(".") for name in CSV_COLUMNS], csv_row(row))

    assert record == record_of(row)
    assert canonical(json.loads(record)) == record
    assert [*CellReader(CSV_COLUMNS).records(line * 2)] == [record, record]


@given(
    st.integers(1, 5),
    st.integers(0, 400),
    st.integers(0, 3),
    st.sampled_from(
        [b"", b" ", b'"', b'""', b'","', b"\\", b"\r\n", b"'", b"=", b"0", b"e", b",", b"false", b"\xff"]
    ),
)
def test_a_plain_row_is_read_as_any_other(number: int, at: int, cut: int, put: bytes) -> None:
    """Whatever is changed in a row, it only gives the record if the thorough way of reading says so too."""
    row = {**package_row(number), "key": "a.png"}
    line = line_of_csv(row)
    changed = line[:at] + put + line[at + cut :]
    reader = CellReader(CSV_COLUMNS)

    thorough = [*reader._others(changed.removesuffix(b"\r\n"))]

    record = record_of(row)
    assert [*reader.records(line)] == [record]
    assert ([*reader.records(changed)] == [record]) == (thorough == [record])


@pytest.mark.parametrize(
    ("number", "gone", "cell", "brought", "end"),
    [
        (7, "uploaded_at", "size_bytes", ',"uploaded_at":"2026-11-22T10:00:07.000000Z"', '"'),
        (10, "restores", "resent", ',"restores":true', "x"),
    ],
)
def test_no_cell_brings_a_member_that_has_no_column(
    number: int, gone: str, cell: str, brought: str, end: str
) -> None:
    row: Any = {**package_row(number), "resent": True}
    columns = [name for name in CSV_COLUMNS if name != gone]
    cells = dict(zip(CSV_COLUMNS, csv_row(row), strict=True))
    cells[cell] += brought
    line = end + '","'.join(cells[name] for name in columns) + f"{end}\r\n"

    assert brought.encode() in record_of(row)
    assert [*CellReader(columns).records(line.encode())] != [record_of(row)]


def line_of_csv(row: Any) -> bytes:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(csv_row(row))
    return file.getvalue().encode()


def package_row(number: int) -> Any:
    return json.loads(json.dumps(entry_to_json(entries_of(1, number)[0])))


@pytest.mark.parametrize("block_bytes", [1, 700, 5_000])
def test_blocks_have_whole_rows_wherever_they_are_cut(
    package: Package, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    package.write(package.rows[:20])
    expected = (package.folder / layout.JSON_LINES).read_bytes().splitlines()
    monkeypatch.setattr(rows, "_BLOCK_BYTES", block_bytes)

    for name in (layout.JSON_LINES, layout.CSV):
        blocks = [*rows.blocks_of(package.folder / name)]
        assert len(blocks) > (1 if block_bytes < 5_000 else 0)
        assert [record for block in blocks for record in block.records()] == expected


def test_every_leaf_is_read_as_its_parser_reads_it() -> None:
    for each in entries_of(4):
        leaf = leaf_of(replace(each, fingerprint=None), BIRTH)
        match = LEAF.fullmatch(leaf.encode())
        assert match
        assert [match[name] for name in (1, 2, 3, 4)] == [
            None,
            None,
            leaf.object_id.encode(),
            leaf.record_sha256.encode(),
        ]
    erasure = erasure_of(entries_of(1)[0], BIRTH)
    match = LEAF.fullmatch(erasure.encode())
    assert match
    assert match[2] == b"erasure"


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_command_needs_no_network_and_exits_with_what_it_found(
    package: Package,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    key = tmp_path / "log.vkey"
    key.write_text(f"{KEY}\n")
    command = ["verify", str(package.folder), *arguments]

    assert main([*command, "--key", str(key)]) == 0
    assert ("NOT CHECKED" in capsys.readouterr().out) == (not arguments)
    package.write(package.rows[1:])
    assert main([*command, "--key", str(KEY)]) == 1
    out = capsys.readouterr().out
    assert MEANINGS[Code.MISSING_ENTRY] in out
    if arguments:
        assert json.loads(out)["counts"] == {"missing_entry": 2}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda package: (package.folder / layout.MANIFEST).unlink(), "isn't a package"),
        (lambda package: (package.folder / layout.MANIFEST).write_text("[]"), "isn't the manifest"),
        (lambda package: (package.folder / layout.MANIFEST).write_text('{"format": 2}'), "format 2"),
        (lambda package: (package.log.folder / "checkpoint").unlink(), "can't be read"),
        (lambda package: (package.folder / layout.CSV).write_bytes(b""), "isn't a file of entries"),
        # A reader would see the first of them, and a program the last.
        (
            lambda package: (package.folder / layout.CSV).write_bytes(b'"key","key"\r\n'),
            "isn't a file of entries",
        ),
        (
            lambda package: (package.folder / layout.CSV).write_bytes(b'"a","a.b"\r\n'),
            "isn't a file of entries",
        ),
    ],
)
def test_unusable_input_exits_with_2(
    package: Package,
    change: Callable[[Package], object],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(package)

    assert main(["verify", str(package.folder), "--key", str(KEY)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("key", ["nowhere.vkey", "a+b+c", str(KEY)[:-5]])
def test_what_is_no_key_exits_with_2(key: str, package: Package, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(package.folder), "--key", key]) == 2
    assert "--key" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{", '{"Versions": [{}]}', "a,b\n"])
def test_what_is_no_listing_exits_with_2(text: str, package: Package, tmp_path: Path) -> None:
    listing = tmp_path / "listing"
    listing.write_text(text)

    code = main(["verify", str(package.folder), "--key", str(KEY), "--objects", str(listing)])
    assert code == (2 if text else 0)


def test_verification_imports_no_aws_sdk() -> None:
    script = "import sys, cli.auditor.verification; print([*filter(lambda n: n[:4] == 'boto', sys.modules)])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"
