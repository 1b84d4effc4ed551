"""Quads kept on this machine: fetched whole, once, for all sites, regions and runs.

What belongs here: files and their records. What does not: which quads are wanted (`planet.py`).

`<mosaic id>/<x-y>.json` records the quad's current file `<x-y>.<tag>.tif`, where the tag stands for the service's
entity tag (ETag): another version of a quad is another file. A record counts as long as the mosaic states the same
dates and the file has the recorded size and, looked at once a run, checksum; else the quad is fetched again. A file
lock lets one process at a time fetch a quad.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from minemap_assets.imagery.sources.planet_clarity import RULE_VERSION, Clarity
from minemap_assets.imagery.sources.planet_client import PlanetClient
from minemap_assets.imagery.sources.planet_files import check_quad
from minemap_assets.imagery.sources.planet_mosaics import Mosaic
from minemap_assets.imagery.sources.planet_quads import QuadId
from minemap_assets.lake import digest, file_sha256

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Once(Generic[K, V]):
    """Makes each value once, however many threads ask at the same time; a failure is not kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[K, Future[V]] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made now or before. Raises what `make` raises."""
        with self._lock:
            promise = self._made.get(key)
            mine = promise is None
            if promise is None:
                promise = self._made[key] = Future()
        if mine:
            try:
                promise.set_result(make())
            except BaseException as error:
                with self._lock:
                    del self._made[key]
                promise.set_exception(error)
        return promise.result()


class QuadRecord(BaseModel):
    """What is known of a kept quad."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    etag: str
    file: str
    bytes: int
    sha256: str
    mosaic_revision: str
    bands: tuple[str, ...] | None
    clear: int
    pixels: int
    rule: str = RULE_VERSION


class QuadCache:
    """Kept quads below a folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path, client: PlanetClient, bands: tuple[str, ...] | None = None) -> None:
        self._folder = folder
        self._client = client
        self._bands = bands
        self._kept: Once[tuple[str, QuadId], QuadFile] = Once()

    def known(self, mosaic: Mosaic, quad: QuadId) -> bool:
        """Whether a quad is kept, so that the service need not be asked for it."""
        return self._record(mosaic, quad) is not None

    def get(self, mosaic: Mosaic, quad: QuadId) -> "QuadFile":
        """The quad's file, fetched where it is not kept. Raises as `PlanetClient.download` does."""
        return self._kept.get((mosaic.id, quad), lambda: self._get(mosaic, quad))

    def _get(self, mosaic: Mosaic, quad: QuadId) -> "QuadFile":
        folder = self._folder / mosaic.id
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f"{quad}.lock"):
            record = self._record(mosaic, quad)
            if record is None or file_sha256(folder / record.file) != record.sha256:
                record = self._fetch(folder, mosaic, quad)
        return QuadFile(folder / record.file, Clarity(record.clear, record.pixels))

    def _fetch(self, folder: Path, mosaic: Mosaic, quad: QuadId) -> QuadRecord:
        seen: dict[str, Clarity] = {}

        def verify(path: Path) -> None:
            seen["clarity"] = check_quad(path, mosaic, quad, self._bands)

        arrived = folder / f"{quad}.new.tif"
        done = self._client.download(mosaic, quad, arrived, verify)
        sha256 = file_sha256(arrived)
        file = folder / f"{quad}.{digest([done.etag or sha256])[:16]}.tif"
        record = QuadRecord(
            etag=done.etag,
            file=file.name,
            bytes=done.size,
            sha256=sha256,
            mosaic_revision=mosaic.revision,
            bands=self._bands,
            clear=seen["clarity"].clear,
            pixels=seen["clarity"].total,
        )
        arrived.replace(file)
        _write(folder / f"{quad}.json", record.model_dump_json(indent=1))
        for old in folder.glob(f"{quad}.*.tif"):
            if old != file:
                old.unlink(missing_ok=True)
        return record

    def _record(self, mosaic: Mosaic, quad: QuadId) -> QuadRecord | None:
        folder = self._folder / mosaic.id
        try:
            record = QuadRecord.model_validate_json((folder / f"{quad}.json").read_bytes())
            whole = (folder / record.file).stat().st_size == record.bytes
        except (FileNotFoundError, ValidationError):
            return None
        current = (mosaic.revision, self._bands, RULE_VERSION)
        return record if whole and (record.mosaic_revision, record.bands, record.rule) == current else None


class QuadFile:
    """A kept quad: its file and its clarity."""

    def __init__(self, path: Path, clarity: Clarity) -> None:
        self.path = path
        self.clarity = clarity


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes; it goes with the process that holds it."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    part.write_text(text)
    part.replace(path)
