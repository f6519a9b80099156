from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cli.caller.files import find_files, fingerprint_of_file


def _touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_folder_gives_all_files_below_it_sorted_and_named_from_there(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.png", "a/b/c.png"):
        _touch(tmp_path / "scans" / name)

    found = find_files([tmp_path / "scans"])

    assert [file.name for file in found.files] == ["a/b/c.png", "a/z.png", "b.png"]
    assert not found.skipped
    assert not found.unreadable


def test_hidden_files_and_links_below_a_folder_are_skipped_with_their_reason(tmp_path: Path) -> None:
    _touch(tmp_path / "outside" / "x.png")
    _touch(tmp_path / "scans" / ".git" / "config")
    _touch(tmp_path / "scans" / ".DS_Store")
    (tmp_path / "scans" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "scans" / "loop").symlink_to(tmp_path / "scans")

    found = find_files([tmp_path / "scans"])

    assert not found.files
    assert {skipped.path.name: skipped.reason for skipped in found.skipped} == {
        ".git": "hidden",
        ".DS_Store": "hidden",
        "link": "a symbolic link",
        "loop": "a symbolic link",
    }


def test_hidden_file_and_link_are_taken_where_they_are_named(tmp_path: Path) -> None:
    hidden, target = _touch(tmp_path / ".hidden.png"), _touch(tmp_path / "target.png")
    link = tmp_path / "link.png"
    link.symlink_to(target)

    assert [file.name for file in find_files([hidden, link]).files] == [".hidden.png", "link.png"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "left behind by Windows") for name in ("Thumbs.db", "ehthumbs.db", "desktop.ini")),
        *((name, "left behind by macOS") for name in ("Icon\r", "._a.png", "__MACOSX/a.png")),
        ("@eaDir/a.png/SYNOFILE_THUMB_M.png", "left behind by a Synology NAS"),
        ("~$invoice.docx", "the lock of a document that is open in Office"),
        *((f"a.pdf.{end}", "an unfinished download") for end in ("crdownload", "part", "filepart")),
    ],
)
def test_what_systems_leave_behind_is_skipped_even_if_it_is_named(
    tmp_path: Path, name: str, reason: str
) -> None:
    _touch(tmp_path / "scans" / name)
    leftover = tmp_path / "scans" / name.partition("/")[0]

    for named in (tmp_path / "scans", leftover):
        found = find_files([named])

        assert not found.files
        assert not found.unreadable
        assert [(skipped.path, skipped.reason) for skipped in found.skipped] == [(leftover, reason)]


@pytest.mark.parametrize("name", ["part.pdf", "icon.png", "thumbs.db.png", "a ~$1.pdf", "MACOSX.png"])
def test_names_that_only_look_like_leftovers_are_taken(tmp_path: Path, name: str) -> None:
    _touch(tmp_path / name)

    assert [file.name for file in find_files([tmp_path]).files] == [name]


def test_file_that_is_only_in_icloud_is_an_error_and_not_skipped(tmp_path: Path) -> None:
    placeholder = _touch(tmp_path / ".invoice.pdf.icloud")

    for named in (tmp_path, placeholder):
        found = find_files([named])

        assert not found.skipped
        assert [(missed.path, missed.reason) for missed in found.unreadable] == [
            (placeholder, "invoice.pdf is only in iCloud: download it first")
        ]


def test_wildcards_that_the_shell_left_are_expanded_unless_a_file_has_them_in_its_name(
    tmp_path: Path,
) -> None:
    for name in ("b.pdf", "a.pdf", "c.png", ".hidden.pdf", "scan [1].png", "scan 1.png", "Thumbs.db"):
        _touch(tmp_path / name)

    found = find_files([tmp_path / "*.pdf", tmp_path / "scan [1].png", tmp_path / "*.db", tmp_path / "*.gif"])

    assert [file.name for file in found.files] == ["a.pdf", "b.pdf", "scan [1].png"]
    assert [skipped.path.name for skipped in found.skipped] == ["Thumbs.db"]
    assert [(missed.path.name, missed.reason) for missed in found.unreadable] == [
        ("*.gif", "there is no such file or folder")
    ]


def test_file_that_is_given_twice_is_taken_once(tmp_path: Path) -> None:
    file = _touch(tmp_path / "scans" / "a.png")

    found = find_files([file, tmp_path / "scans"])

    assert [taken.name for taken in found.files] == ["a.png"]
    assert [skipped.reason for skipped in found.skipped] == [f"the same file as {file}"]


def test_missing_path_and_special_file_are_errors_not_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    found = find_files([tmp_path / "gone", tmp_path / "pipe"])

    assert [(missed.path.name, missed.reason) for missed in found.unreadable] == [
        ("gone", "there is no such file or folder"),
        ("pipe", "not a regular file"),
    ]
    assert not found.skipped


def test_fingerprint_of_a_file_larger_than_a_chunk_is_its_sha256(tmp_path: Path) -> None:
    content = os.urandom(3 * 1024 * 1024 + 17)
    (tmp_path / "large").write_bytes(content)

    assert fingerprint_of_file(tmp_path / "large") == hashlib.sha256(content).hexdigest()
