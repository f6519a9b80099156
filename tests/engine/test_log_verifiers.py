"""Verifiers that others wrote agree that our logs are right, and that changed ones aren't."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash

from tests.cli.auditor.packages import KEY, Log
from tests.local.test_export import block_with

SIZES = (0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 72_484)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log that had each of the sizes, and has the last one."""
    log = Log(tmp_path_factory.mktemp("log"))
    for size in SIZES:
        log.seal(f"leaf {number}".encode() for number in range(len(log.leaves), size))
    return log


@pytest.fixture
def log(grown: Log, size: int) -> Log:
    """The log when it had a size. Its larger tiles are there as well, as in a bucket."""
    grown.put("checkpoint", (grown.folder / f"checkpoints/{size}").read_bytes())
    return grown


def passes_fsck(fsck: Path, log: Log, tmp_path: Path) -> bool:
    """Tell what Tessera's fsck says. It exits with 0, and may never end if a range is invalid."""
    key = tmp_path / "log.vkey"
    key.write_text(str(KEY))
    flags = ["-storage_url", f"file://{log.folder}", "-public_key", str(key), "-ui=false", "-v=1"]
    with subprocess.Popen([str(fsck), *flags], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            for line in process.stderr:
                if "Successfully fsck'd log" in line:
                    return True
                if "fsck failed" in line or ":Invalid" in line:
                    return False
        finally:
            process.kill()
    raise AssertionError("fsck ended without saying what it found")


@pytest.mark.parametrize("size", SIZES)
def test_fsck_of_tessera_agrees(fsck: Path, log: Log, tmp_path: Path) -> None:
    assert passes_fsck(fsck, log, tmp_path)


@pytest.mark.parametrize("size", [257])
def test_command_on_the_page_for_auditors_runs_fsck(fsck: Path, log: Log, tmp_path: Path) -> None:
    package = tmp_path / "audit-november"
    package.mkdir()
    (package / "log").symlink_to(log.folder)
    (tmp_path / "pinned.vkey").write_text(f"{KEY}\n")
    ran = subprocess.run(
        ["bash", "-c", block_with("fsck -storage_url")],  # noqa: S607 - wherever it is
        cwd=tmp_path,
        env={"PATH": f"{fsck.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Successfully fsck'd log with size 257" in ran.stderr


@pytest.mark.parametrize("size", [72_484])
@pytest.mark.parametrize(
    "path", ["checkpoint", "tile/0/282", "tile/1/000", "tile/2/000.p/1", "tile/entries/282"]
)
def test_fsck_of_tessera_finds_a_change(fsck: Path, log: Log, path: str, tmp_path: Path) -> None:
    file = log.folder / path
    data = file.read_bytes()
    try:
        file.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
        assert not passes_fsck(fsck, log, tmp_path)
    finally:
        file.write_bytes(data)


@pytest.mark.parametrize("size", SIZES)
def test_tlog_scales_agrees(log: Log, size: int) -> None:
    """It has the same tiles, signature and proofs. It reads no leaves but those that it is asked for."""
    reader = TilesReader(LocalBackend(log.folder))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(str(KEY)))

    assert checkpoint.size == size
    assert reader.calculate_root_hash() == checkpoint.root_hash
    for index in {0, 1, size // 2, size - 1} & {*range(size)}:
        leaf = reader.get_entry(index)
        assert leaf == log.leaves[index]
        reader.get_inclusion_proof(index, size).check(leaf_hash(leaf), checkpoint.root_hash)
    for old in (old for old in SIZES if 0 < old <= size):
        older = TilesReader(LocalBackend(log.folder))
        older.set_size(old)
        proof = reader.get_consistency_proof(old, size)
        proof.check(older.calculate_root_hash(), checkpoint.root_hash)
