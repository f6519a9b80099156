"""A run of uploads: files are fingerprinted and looked up in batches, ahead of the threads that send them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, BinaryIO, cast

from cli.caller.files import fingerprint_of, size_of
from cli.caller.transfer import (
    AlreadyAccepted,
    BecameShorterError,
    Failed,
    HashedFile,
    NotSent,
    Result,
    Uploaded,
)
from cli.errors import BillEError, SignInError
from functions.contract.http_api import MAX_FINGERPRINTS

if TYPE_CHECKING:
    from cli.answers import ApiEntry
    from cli.caller.files import Found, LocalFile
    from cli.caller.transfer import CountBytes, SendFile

LARGEST_UPLOAD_BYTES = 5 * 1024**3
"""The most that S3 takes in one PutObject, or with a form."""

BATCH_BYTES = 64 * 1024**2
"""How much a batch has, unless it is a single file. None of it is sent before all of it has been read."""

FILES_AHEAD = 2 * MAX_FINGERPRINTS
"""No new batch begins while so many files, and one for each thread that sends, have begun and not ended."""

LookUp = Callable[[Sequence[str]], "Mapping[str, ApiEntry]"]
"""Returns the receipts with up to `MAX_FINGERPRINTS` fingerprints, by fingerprint. Raises BillEError."""

Place = int
"""Where a file is among the files of the run."""


@dataclass(frozen=True, kw_only=True)
class UploadRun:
    """What became of each file, in the order of the files; those that are unreadable come last.

    `stopped_by` is what ended the run early, if anything did: the rest of the files are `NotSent`. If what
    was accepted before couldn't be looked up, `look_up_failure` says why; files were sent all the same.
    """

    results: Sequence[Result]
    stopped_by: BaseException | None
    look_up_failure: str | None

    @property
    def uploads(self) -> list[Uploaded]:
        """The files that arrived."""
        return [result for result in self.results if isinstance(result, Uploaded)]


def upload_files(
    found: Found,
    send_file: SendFile,
    *,
    look_up: LookUp | None,
    concurrency: int,
    on_bytes: CountBytes,
    on_result: Callable[[Result], None],
) -> UploadRun:
    """Send the files that were found, up to `concurrency` at a time, unless `look_up` has their bytes.

    A file that fails doesn't stop the others. An interrupt does, and so does a refused sign-in: transfers
    that run end at their next chunk, and no others begin. Even then, this returns. `on_bytes` is called from
    the threads that send, `on_result` from the calling thread, for each file until then.
    """
    workers = _Workers(send_file, look_up, on_bytes, concurrency)
    stopped_by: BaseException | None = None
    try:
        for result in workers.results(found.files):
            on_result(result)
    except BaseException as stop:  # noqa: BLE001 - whatever has happened, what was sent is reported
        stopped_by = stop
    ended = workers.end()
    results = [ended.get(place) or NotSent(path=file.path) for place, file in enumerate(found.files)]
    results += [Failed(path=missed.path, reason=missed.reason) for missed in found.unreadable]
    return UploadRun(results=results, stopped_by=stopped_by, look_up_failure=workers.look_up_failure)


Work = list[tuple[Place, HashedFile | Result]]


class _Workers:
    """The threads that read files, and those that send them. Only the calling thread gives them work."""

    def __init__(
        self, send_file: SendFile, look_up: LookUp | None, on_bytes: CountBytes, concurrency: int
    ) -> None:
        self._send_file = send_file
        self._look_up = look_up
        self._on_bytes = on_bytes
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="read")
        self._sending = ThreadPoolExecutor(concurrency, thread_name_prefix="upload")
        self._most_begun = FILES_AHEAD + concurrency
        self._stopped = threading.Event()
        self._running = 0
        self._done: SimpleQueue[Work | BaseException] = SimpleQueue()
        self._ended: dict[Place, Result] = {}
        self.look_up_failure: str | None = None

    def results(self, files: Sequence[LocalFile]) -> Iterator[Result]:
        """Read, look up and send files, and yield each result."""
        batches, begun = _batches(files), 0
        while True:
            while begun - len(self._ended) < self._most_begun and (batch := next(batches, None)):
                begun += len(batch)
                self._begin(self._reading, self._prepared, batch)
            if not self._running:
                return
            done = self._done.get()
            self._running -= 1
            if isinstance(done, BaseException):
                raise done
            for place, known in done:
                if isinstance(known, HashedFile):
                    self._begin(self._sending, self._sent, place, known)
                else:
                    yield known

    def end(self) -> Mapping[Place, Result]:
        """Stop what runs, and return all results, also those that nobody has waited for."""
        self._stopped.set()
        with suppress(KeyboardInterrupt):  # Who interrupts twice doesn't want to wait.
            for pool in (self._reading, self._sending):
                pool.shutdown(cancel_futures=True)
        return self._ended

    def _begin(self, pool: ThreadPoolExecutor, work: Callable[..., Work], *arguments: object) -> None:
        self._running += 1
        pool.submit(self._finish, work, *arguments)

    def _finish(self, work: Callable[..., Work], *arguments: object) -> None:
        """Do a piece of work. Its results are kept here, since an interrupt may come before they are read."""
        try:
            done = work(*arguments)
        except BaseException as error:  # noqa: BLE001 - for the calling thread to raise
            self._stopped.set()
            self._done.put(error)
        else:
            self._ended.update((place, known) for place, known in done if not isinstance(known, HashedFile))
            self._done.put(done)

    def _prepared(self, batch: Sequence[tuple[Place, LocalFile]]) -> Work:
        """Read files, and end those whose bytes have been accepted."""
        work: Work = [(place, self._read(file)) for place, file in batch]
        receipts = self._receipts([known.fingerprint for _, known in work if isinstance(known, HashedFile)])
        return [
            (place, _already_accepted(known, receipt))
            if isinstance(known, HashedFile) and (receipt := receipts.get(known.fingerprint))
            else (place, known)
            for place, known in work
        ]

    def _read(self, file: LocalFile) -> HashedFile | Result:
        try:
            with file.path.open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                if size > LARGEST_UPLOAD_BYTES:
                    reason = (
                        f"{size} bytes are too many for one upload: {LARGEST_UPLOAD_BYTES} (5 GiB) at most"
                    )
                    return Failed(path=file.path, reason=reason)
                fingerprint = fingerprint_of(cast("BinaryIO", _UntilStopped(stream, self._stopped)))
        except CancelledError:
            return NotSent(path=file.path)
        except OSError as error:
            return Failed(path=file.path, reason=error.strerror or str(error))
        return HashedFile(path=file.path, name=file.name, size_bytes=size, fingerprint=fingerprint)

    def _receipts(self, fingerprints: Sequence[str]) -> Mapping[str, ApiEntry]:
        look_up = self._look_up
        if look_up is None or not fingerprints or self._stopped.is_set():
            return {}
        try:
            return look_up(fingerprints)
        except SignInError:
            raise
        except BillEError as error:
            self._look_up, self.look_up_failure = None, str(error)
            return {}

    def _sent(self, place: Place, file: HashedFile) -> Work:
        result: Result
        try:
            self._count(0)
            result = self._send_file(file, self._count)
        except SignInError:
            raise
        except BillEError as error:
            result = Failed(path=file.path, reason=str(error))
        except BecameShorterError:
            result = Failed(path=file.path, reason="the file got shorter while it was being read")
        except CancelledError:
            result = NotSent(path=file.path)
        except OSError as error:
            result = Failed(path=file.path, reason=error.strerror or str(error))
        return [(place, result)]

    def _count(self, sent: int) -> None:
        if self._stopped.is_set():
            raise CancelledError
        self._on_bytes(sent)


class _UntilStopped:
    """A stream that can be read until the run stops."""

    def __init__(self, stream: BinaryIO, stopped: threading.Event) -> None:
        self._stream = stream
        self._stopped = stopped

    def read(self, size: int) -> bytes:
        if self._stopped.is_set():
            raise CancelledError
        return self._stream.read(size)


def _batches(files: Sequence[LocalFile]) -> Iterator[list[tuple[Place, LocalFile]]]:
    batch: list[tuple[Place, LocalFile]] = []
    total = 0
    for place, file in enumerate(files):
        size = size_of(file)
        if batch and (len(batch) == MAX_FINGERPRINTS or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append((place, file))
        total += size
    if batch:
        yield batch


def _already_accepted(file: HashedFile, receipt: ApiEntry) -> AlreadyAccepted:
    return AlreadyAccepted(
        path=file.path,
        fingerprint=file.fingerprint,
        size_bytes=file.size_bytes,
        recorded_at=receipt["recorded_at"],
        key=receipt["key"],
    )
