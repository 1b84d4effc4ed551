"""Remote files fetched whole: resumed where they broke off, checked, and published by renaming.

Beside `<name>` lie `<name>.part` (the bytes so far), `<name>.part.etag` (the version they belong to) and, while
somebody fetches it, `<name>.part.lock` until the file is whole. A server that has another version by then sends it from
the start (If-Range).
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from minemap_assets.errors import MinemapError, PermanentError, RetryableError
from minemap_assets.lake.locks import hold
from minemap_assets.net.connection import Connection, FailedAttemptError


@dataclass(frozen=True)
class Downloaded:
    """A file fetched whole: where it lies, its size, the bytes that this call transferred, and its ETag."""

    path: Path
    size: int
    transferred: int
    etag: str


def fetch(connection: Connection, url: str, path: Path, verify: Callable[[Path], None] | None) -> Downloaded:
    """Fetch a file to `path`; one that is there already is replaced in one step, when the new one is whole.

    `verify` looks at the whole file before it gets its name; what it rejects is fetched anew. One thread of one
    process at a time fetches to a path, the others wait. Raises as `Client.request` does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    transfer = _Transfer(connection, path, verify)
    with hold(path.with_name(f"{path.name}.part.lock"), patience=math.inf):
        etag = connection.attempts(url, transfer.attempt)
        size = transfer.publish()
    return Downloaded(path, size, transfer.transferred, etag)


@dataclass
class _Transfer:
    """One file on its way."""

    connection: Connection
    path: Path
    verify: Callable[[Path], None] | None
    transferred: int = field(default=0)

    @property
    def part(self) -> Path:
        """The bytes so far."""
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def tag(self) -> Path:
        """The version that those bytes belong to."""
        return self.path.with_name(f"{self.path.name}.part.etag")

    def attempt(self, url: str) -> str:
        """Fetch what is missing; returns the ETag. Raises `FailedAttemptError`."""
        have, etag = self._progress()
        headers = {"Range": f"bytes={have}-", "If-Range": etag} if have else {}
        try:
            with self.connection.streamed("GET", url, headers=headers) as answer:
                etag = self._receive(answer, have)
        except FailedAttemptError as failed:
            if failed.status == 416:  # what lies here is longer than the file there: begin anew
                self._discard()
                raise FailedAttemptError(RetryableError(f"{self.path.name} has changed on the server")) from failed
            raise
        self._check()
        return etag

    def publish(self) -> int:
        """Give the file its name; returns its size."""
        size = self.part.stat().st_size
        self.part.replace(self.path)
        self.tag.unlink(missing_ok=True)
        _sync(self.path.parent)
        return size

    def _progress(self) -> tuple[int, str]:
        """Bytes that can be built upon, and their version; none without a strong ETag."""
        try:
            etag = self.tag.read_text()
            have = self.part.stat().st_size
        except FileNotFoundError:
            return 0, ""
        return (have, etag) if etag and not etag.startswith("W/") else (0, "")

    def _receive(self, answer: httpx.Response, have: int) -> str:
        resumed = answer.status_code == 206
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            self._discard()
            raise FailedAttemptError(RetryableError(f"{self.path.name} was resumed at the wrong place"))
        etag = str(answer.headers.get("ETag", ""))
        start = have if resumed else 0
        stated = answer.headers.get("Content-Length", "")
        with self.part.open("ab" if resumed else "wb") as handle:
            self.tag.write_text(etag)
            try:
                for chunk in self.connection.chunks(answer):
                    handle.write(chunk)
                    self.transferred += len(chunk)
            finally:
                handle.flush()
                os.fsync(handle.fileno())
        size = self.part.stat().st_size
        if stated.isdigit() and size != start + int(stated):
            self._discard()
            raise FailedAttemptError(RetryableError(f"{self.path.name} has {size} bytes for {start + int(stated)}"))
        return etag

    def _check(self) -> None:
        if self.verify is None:
            return
        try:
            self.verify(self.part)
        except PermanentError:
            raise
        except MinemapError as error:
            self._discard()
            raise FailedAttemptError(RetryableError(f"{self.path.name} arrived damaged ({error})")) from error

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
