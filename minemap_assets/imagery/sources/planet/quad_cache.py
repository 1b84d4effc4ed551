"""Quads kept on this machine: fetched whole, once, for all sites, regions and runs.

`<mosaic id>/<x-y>.json` records the quad's current file `<x-y>.<tag>.tif`, where the tag stands for the service's
entity tag (ETag): another version of a quad is another file. A record counts as long as the mosaic states the same
dates and the file has the recorded size and, looked at once a run, checksum; else the quad is fetched again. A file
lock lets one process at a time fetch a quad.

Above a limit the files that were used longest ago go, never one that is being read; their records stay, because they
say how clear a quad is, and so which one is worth fetching.
"""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import RetryableError
from minemap_assets.imagery.basemaps.clarity import RULE_VERSION, Clarity
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.quad_files import check_quad
from minemap_assets.imagery.basemaps.quads import QuadId
from minemap_assets.imagery.sources.planet.client import PlanetClient
from minemap_assets.lake.locks import LockedError, hold
from minemap_assets.lake.manifests import digest, file_sha256
from minemap_assets.project.settings import StrictModel

_TRIES = 5
"""How often a quad is fetched for one read before it is given up that it stays."""


class QuadRecord(StrictModel):
    """What is known of a kept quad."""

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

    def __init__(
        self, folder: Path, client: PlanetClient, bands: tuple[str, ...] | None = None, limit: float = math.inf
    ) -> None:
        """`limit` is in bytes, over all quads below the folder."""
        self._folder = folder
        self._client = client
        self._bands = bands
        self._limit = limit
        self._kept: LoadingCache[tuple[str, QuadId], QuadFile] = LoadingCache()

    def known(self, mosaic: Mosaic, quad: QuadId) -> bool:
        """Whether a quad is or was kept, so that the service need not be asked whether there is one."""
        return self._record(mosaic, quad) is not None

    def clarity(self, mosaic: Mosaic, quad: QuadId) -> Clarity:
        """How clear a quad is; fetched where that was never found out. Raises as `get` does."""
        record = self._record(mosaic, quad)
        return self.get(mosaic, quad).clarity if record is None else Clarity(record.clear, record.pixels)

    @contextmanager
    def reading(self, mosaic: Mosaic, quad: QuadId) -> Iterator[Path]:
        """The quad's file, fetched where it is not kept, which stays until the block ends. Raises as `get` does, and
        `RetryableError` where others evict it again and again before it can be read.
        """
        for _ in range(_TRIES):
            path = self.get(mosaic, quad).path
            with hold(path.with_name(f"{quad}.lock"), math.inf, shared=True):
                if path.is_file():
                    _mark_used(path.with_name(f"{quad}.json"))
                    yield path
                    return
            self._kept.forget((mosaic.id, quad))
        raise RetryableError(
            f"quad {quad} of {mosaic.name} does not stay on disk long enough to be read; raise cache_gb under "
            "[sources.planet_basemaps]"
        )

    def get(self, mosaic: Mosaic, quad: QuadId) -> "QuadFile":
        """The quad's file, fetched where it is not kept. Raises as `PlanetClient.download` does."""
        return self._kept.get((mosaic.id, quad), lambda: self._get(mosaic, quad))

    def _get(self, mosaic: Mosaic, quad: QuadId) -> "QuadFile":
        folder = self._folder / mosaic.id
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / f"{quad}.lock"
        # Whoever reads one quad may wait for another: a lock that shuts out readers is only taken where one is missing.
        with hold(lock, math.inf, shared=True):
            record = self._whole(mosaic, quad)
        if record is None:
            with hold(lock, math.inf, keep=True):
                record = self._whole(mosaic, quad) or self._fetch(folder, mosaic, quad)
            self._evict(folder / record.file)
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
        """What is known of the current version of a quad, whose file may be gone."""
        try:
            record = QuadRecord.model_validate_json((self._folder / mosaic.id / f"{quad}.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        current = (mosaic.revision, self._bands, RULE_VERSION)
        return record if (record.mosaic_revision, record.bands, record.rule) == current else None

    def _whole(self, mosaic: Mosaic, quad: QuadId) -> QuadRecord | None:
        """The record of a quad whose file is there as it arrived."""
        record = self._record(mosaic, quad)
        if record is None:
            return None
        file = self._folder / mosaic.id / record.file
        whole = file.is_file() and file.stat().st_size == record.bytes and file_sha256(file) == record.sha256
        return record if whole else None

    def _evict(self, newest: Path) -> None:
        """Remove files that were used longest ago until the rest is within the limit; `newest` always stays."""
        with hold(self._folder / "eviction.lock", math.inf, keep=True):
            files = [file for path in self._folder.glob("*/*.tif") if (file := _aged(path)) is not None]
            size = sum(file.bytes for file in files)
            for file in sorted(file for file in files if file.path != newest):
                if size <= self._limit:
                    return
                lock = file.path.with_name(f"{file.path.name.partition('.')[0]}.lock")
                with suppress(LockedError), hold(lock, keep=True):  # one that is being read stays
                    file.path.unlink(missing_ok=True)
                    size -= file.bytes


@dataclass(frozen=True)
class QuadFile:
    """A kept quad: its file and its clarity."""

    path: Path
    clarity: Clarity


@dataclass(frozen=True, order=True)
class _Aged:
    """A file by the time of its last use."""

    used: float
    path: Path
    bytes: int


def _mark_used(record: Path) -> None:
    """The time of a record is that of its quad's last use: the file's own is part of what is known of it."""
    with suppress(FileNotFoundError):
        os.utime(record)


def _aged(path: Path) -> _Aged | None:
    """A quad's file; None where another process has just given it its name or replaced it."""
    try:
        return _Aged(_last_use(path), path, path.stat().st_size)
    except FileNotFoundError:
        return None


def _last_use(file: Path) -> float:
    """0 for a file that no record names."""
    try:
        return file.with_name(f"{file.name.partition('.')[0]}.json").stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    part.write_text(text)
    part.replace(path)
