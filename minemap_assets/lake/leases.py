"""Leases: small objects by which machines that share an object store tell each other what they write.

A lease is renewed again and again while it is held, so that nobody needs to know whether its holder still lives: who
wants it watches it for its whole time to live, by its own clock, and takes it over when it did not change. Clocks of
two machines are never compared. Whoever was stopped for longer than that has lost its lease without knowing; so a lease
saves work that another one does already, and what protects the data are conditional writes.

A lease that was given back stays as a few bytes which say so: object stores delete without conditions only, and that
could hit the lease of the next holder.
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from minemap_assets.errors import ConflictError, MinemapError
from minemap_assets.lake.locks import SOMEBODY, Holder, Wait
from minemap_assets.lake.store import Tagged

_ATTEMPTS = 20
_PAUSE = 0.05
_PATIENCE = 15.0
"""Seconds that an end waits for a renewal that is on its way."""


class Objects(Protocol):
    """What a lease needs of an object store, with the meaning these have in `Store`."""

    def read_tagged(self, path: str) -> Tagged | None:
        """A small object with its tag; None where there is none."""

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        """Write it if it still has this tag; returns its new tag. Raises `ConflictError`."""


@dataclass(frozen=True)
class LeaseTimes:
    """Seconds between two renewals, and seconds after which a lease that was not renewed is anybody's."""

    renewal: float = 10.0
    life: float = 60.0


@dataclass(frozen=True)
class Note:
    """What a lease's object says. `token` is another one for each time it is taken, `beat` for each renewal.

    `place` is a folder of a machine: who holds that folder's own lock for the same name knows that the lease's holder
    is gone. `held` is False once it was given back.
    """

    token: str
    beat: int
    place: str
    held: bool
    holder: Holder | None

    @classmethod
    def parse(cls, data: bytes) -> "Note | None":
        """What `dump` wrote; None for anything else."""
        try:
            raw = json.loads(data)
            holder = Holder.parse(json.dumps(raw["holder"]).encode())
            return cls(str(raw["token"]), int(raw["beat"]), str(raw["place"]), bool(raw["held"]), holder)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None

    def dump(self) -> bytes:
        """As JSON."""
        said = {"token": self.token, "beat": self.beat, "place": self.place, "held": self.held}
        holder = None if self.holder is None else json.loads(self.holder.dump())
        return json.dumps(said | {"holder": holder}).encode()


def place_of(folder: Path) -> str:
    """A folder as no other machine knows one: its number, on this machine, since it was started."""
    status = folder.stat()
    boot = Path("/proc/sys/kernel/random/boot_id")
    started = boot.read_text().strip() if boot.exists() else ""
    return f"{os.uname().nodename} {started} {status.st_dev} {status.st_ino} {folder}"


@contextmanager
def leased(
    objects: Objects, path: str, place: str, wait: Wait, times: LeaseTimes, brisk: Objects | None = None
) -> Iterator[None]:
    """Hold the lease at `path` for as long as the context lasts.

    It is renewed and given back through `brisk`, which gives up sooner than `objects`, where that is given. The caller
    holds the lock of `place` for the same name. Raises `BusyError` where another machine holds the lease for longer
    than `wait` allows, and `ConflictError` at the end where another one took it over meanwhile.
    """
    lease = _Lease(brisk or objects, path, place, times)
    lease.take(objects, wait)
    thread = threading.Thread(target=lease.renew, name=f"lease {path}", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        lease.ended.set()
        thread.join(_PATIENCE)
        with suppress(MinemapError):
            lease.give_back()
        raise
    lease.ended.set()
    thread.join(_PATIENCE)
    lease.give_back()


class _Lease:
    """One lease, in the hands of its holder."""

    def __init__(self, objects: Objects, path: str, place: str, times: LeaseTimes) -> None:
        self._objects, self._path, self._times = objects, path, times
        self._note = Note(secrets.token_hex(8), 0, place, True, Holder.now())
        self._tag: str | None = None
        self.ended = threading.Event()
        self._lost: str | None = None

    def take(self, objects: Objects, wait: Wait) -> None:
        """Take the lease, when nobody holds it or its holder is gone."""
        seen, since, refused = "", 0.0, 0
        while True:
            found = objects.read_tagged(self._path)
            if found is not None and found.tag != seen:
                seen, since = found.tag, time.monotonic()
            note = None if found is None else Note.parse(found.data)
            gone = note is not None and (not note.held or note.place == self._note.place)
            if found is None or gone or time.monotonic() - since >= self._times.life:
                try:
                    self._tag = objects.write_if(self._path, self._note.dump(), None if found is None else found.tag)
                    return
                except ConflictError:  # another one was faster: see who
                    refused += 1
                    if refused == _ATTEMPTS:
                        raise
                    time.sleep(_PAUSE)
                    continue
            wait.once_more(_named(note))

    def renew(self) -> None:
        """Renew it until the end, or until it is lost; for a thread of its own."""
        while self._lost is None and not self.ended.wait(self._times.renewal):
            self._note = replace(self._note, beat=self._note.beat + 1)
            with suppress(MinemapError):  # what did not succeed is tried again at the next renewal
                self._write(self._note)

    def give_back(self) -> None:
        """Let the next one have it. Raises `ConflictError` where another one has it already."""
        if self._lost is None:
            with suppress(MinemapError):  # an unreachable store finds out by itself
                self._write(replace(self._note, beat=self._note.beat + 1, held=False))
        if self._lost is not None:
            raise ConflictError(
                f"another run took over while this one was stopped for more than {self._times.life:g} s "
                f"({self._path}, {self._lost}); run the same command again"
            )

    def _write(self, note: Note) -> None:
        for _ in range(_ATTEMPTS):
            try:
                self._tag = self._objects.write_if(self._path, note.dump(), self._tag)
                return
            except ConflictError:
                found = self._objects.read_tagged(self._path)
                theirs = None if found is None else Note.parse(found.data)
                if found is not None and (theirs is None or theirs.token != self._note.token):
                    self._lost = _named(theirs)
                    return
                # an earlier renewal of ours, whose answer never came; or somebody tidied up
                self._tag = None if found is None else found.tag


def _named(note: Note | None) -> str:
    return SOMEBODY if note is None or note.holder is None else str(note.holder)
