"""Quads kept on this machine: fetched whole, once, for all sites, regions and runs.

`<mosaic id>/<x-y>.json` records the quad's current file `<x-y>.<tag>.tif`, where the tag stands for the service's
entity tag (ETag): another version of a quad is another file. A record counts as long as the mosaic states the same
dates and the file has the recorded size and, looked at once a run, checksum; else the quad is fetched again. What is
made of its pixels by other rules than today's is made again. A file lock lets one process at a time fetch a quad. Its
usable data mask is kept in the same way as `<x-y>_udm2`; that a quad has none is noted in `<x-y>_no_udm2.json`, and
that the service knows of none for a mosaic in `no_udm2.json`.

Files go as `KeptFiles` says, never one that is being read; their records stay, because they say how clear a quad is,
and so which one is worth fetching.
"""

import logging
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import NotEntitledError, NotFoundError, PermanentError, RetryableError, StorageError
from minemap_assets.imagery.basemaps.clarity import RULE_VERSION, Clarity
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.quad_files import check_mask, check_quad
from minemap_assets.imagery.basemaps.quads import QuadId
from minemap_assets.imagery.sources.planet.client import PlanetClient
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.locks import hold
from minemap_assets.lake.manifests import digest, file_sha256
from minemap_assets.net.downloads import Downloaded
from minemap_assets.project.settings import StrictModel

FOLDER = "planet"
"""Where quads lie below the folder of kept files."""

_MASK = "_udm2"
_NO_MASK = "no_udm2.json"

_TRIES = 5
"""How often a quad is fetched for one read before it is given up that it stays."""

Verify = Callable[[Path], None]

_LOG = logging.getLogger(__name__)


class QuadRecord(StrictModel):
    """What is known of a kept file; `clear` and `pixels` are 0 for a mask."""

    etag: str
    file: str
    bytes: int
    sha256: str
    mosaic_revision: str
    bands: tuple[str, ...] | None
    clear: int
    pixels: int
    rule: str = RULE_VERSION


@dataclass(frozen=True)
class QuadFile:
    """A kept file and, of a quad, its clarity."""

    path: Path
    clarity: Clarity


@dataclass(frozen=True)
class _Wanted:
    """A file of a quad: the name of its record, and how it is fetched."""

    mosaic: Mosaic
    quad: QuadId
    mask: bool = False

    @property
    def stem(self) -> str:
        return f"{self.quad}{_MASK if self.mask else ''}"

    @property
    def what(self) -> str:
        return f"{'the mask of ' if self.mask else ''}quad {self.quad} of {self.mosaic.name}"


class QuadCache:
    """Kept quads and masks. Safe to use from several threads and processes."""

    def __init__(self, kept: KeptFiles, client: PlanetClient, bands: tuple[str, ...] | None = None) -> None:
        self._kept_files = kept
        self._folder = kept.root / FOLDER
        self._client = client
        self._bands = bands
        self._kept: LoadingCache[_Wanted, QuadFile] = LoadingCache()

    def known(self, mosaic: Mosaic, quad: QuadId) -> bool:
        """Whether a quad is or was kept, so that the service need not be asked whether there is one."""
        return self._record(_Wanted(mosaic, quad)) is not None

    def clarity(self, mosaic: Mosaic, quad: QuadId) -> Clarity:
        """How clear a quad is; fetched where that was never found out. Raises as `PlanetClient.download` does."""
        wanted = _Wanted(mosaic, quad)
        record = self._record(wanted)
        return self._file(wanted).clarity if record is None else Clarity(record.clear, record.pixels)

    @contextmanager
    def reading(self, mosaic: Mosaic, quad: QuadId) -> Iterator[Path]:
        """The quad's file, fetched where it is not kept, which stays until the block ends.

        Raises as `PlanetClient.download` does, and `RetryableError` where others evict it again and again before it can
        be read.
        """
        with self._reading(_Wanted(mosaic, quad)) as path:
            yield path

    @contextmanager
    def reading_mask(self, mosaic: Mosaic, quad: QuadId) -> Iterator[Path | None]:
        """As `reading`, the quad's usable data mask; None where the mosaic has none."""
        with ExitStack() as stack:
            yield self._mask(_Wanted(mosaic, quad, mask=True), stack)

    def _mask(self, wanted: _Wanted, stack: ExitStack) -> Path | None:
        if self._noted_absent(wanted):
            return None
        try:
            return stack.enter_context(self._reading(wanted))
        except NotEntitledError:
            _LOG.warning("the Planet account may not download %s, so its clouds are not hidden", wanted.what)
        except (NotFoundError, PermanentError):
            if not self._noted_absent(wanted):
                raise
        return None

    def _noted_absent(self, wanted: _Wanted) -> bool:
        of_quad, of_mosaic = self._absence_notes(wanted)
        return of_quad.is_file() or of_mosaic.is_file()

    def _absence_notes(self, wanted: _Wanted) -> tuple[Path, Path]:
        folder = self._folder / wanted.mosaic.id
        return folder / f"{wanted.quad}_{_NO_MASK}", folder / _NO_MASK

    @contextmanager
    def _reading(self, wanted: _Wanted) -> Iterator[Path]:
        for _ in range(_TRIES):
            path = self._file(wanted).path
            with hold(path.with_name(f"{wanted.stem}.lock"), math.inf, shared=True):
                if path.is_file():
                    _mark_used(path.with_name(f"{wanted.stem}.json"))
                    yield path
                    return
            self._kept.forget(wanted)
        raise RetryableError(
            f"{wanted.what} does not stay on disk long enough to be read; raise cache_gb under [imagery]"
        )

    def _file(self, wanted: _Wanted) -> QuadFile:
        return self._kept.get(wanted, lambda: self._get(wanted))

    def _get(self, wanted: _Wanted) -> QuadFile:
        folder = self._folder / wanted.mosaic.id
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / f"{wanted.stem}.lock"
        # Whoever reads one quad may wait for another: a lock that shuts out readers is only taken where one is missing.
        with hold(lock, math.inf, shared=True):
            record = self._whole(wanted)
        if record is None:
            with hold(lock, math.inf, keep=True):
                record = self._whole(wanted) or self._looked_at_again(wanted) or self._fetch(folder, wanted)
            self._kept_files.fit(spared=folder / record.file)
        return QuadFile(folder / record.file, Clarity(record.clear, record.pixels))

    def _looked_at_again(self, wanted: _Wanted) -> QuadRecord | None:
        """The record of a file that is there, but was judged by other rules or another order of bands."""
        old = self._any_record(wanted)
        if old is None or old.mosaic_revision != wanted.mosaic.revision or not self._is_there(wanted, old):
            return None
        clarity = self._judged(self._folder / wanted.mosaic.id / old.file, wanted)
        new = {"bands": self._bands, "clear": clarity.clear, "pixels": clarity.total, "rule": RULE_VERSION}
        return self._recorded(wanted, old.model_copy(update=new))

    def _fetch(self, folder: Path, wanted: _Wanted) -> QuadRecord:
        seen = [Clarity(0, 0)]

        def verify(path: Path) -> None:
            seen[0] = self._judged(path, wanted)

        arrived = folder / f"{wanted.stem}.new.tif"
        done = self._download(wanted, arrived, verify)
        sha256 = file_sha256(arrived)
        file = folder / f"{wanted.stem}.{digest([done.etag or sha256])[:16]}.tif"
        record = QuadRecord(
            etag=done.etag,
            file=file.name,
            bytes=done.size,
            sha256=sha256,
            mosaic_revision=wanted.mosaic.revision,
            bands=self._bands,
            clear=seen[0].clear,
            pixels=seen[0].total,
        )
        arrived.replace(file)
        self._recorded(wanted, record)
        for old in folder.glob(f"{wanted.stem}.*.tif"):
            if old != file:
                old.unlink(missing_ok=True)
        return record

    def _judged(self, path: Path, wanted: _Wanted) -> Clarity:
        """Raises as `check_quad` or `check_mask` does."""
        if wanted.mask:
            check_mask(path, wanted.mosaic, wanted.quad)
            return Clarity(0, 0)
        return check_quad(path, wanted.mosaic, wanted.quad, self._bands)

    def _recorded(self, wanted: _Wanted, record: QuadRecord) -> QuadRecord:
        _write(self._folder / wanted.mosaic.id / f"{wanted.stem}.json", record.model_dump_json(indent=1))
        return record

    def _download(self, wanted: _Wanted, path: Path, verify: Verify) -> Downloaded:
        if wanted.mask:
            return self._download_mask(wanted, path, verify)
        return self._client.download(wanted.mosaic, wanted.quad, path, verify)

    def _download_mask(self, wanted: _Wanted, path: Path, verify: Verify) -> Downloaded:
        """Called with the mask's lock held, so that whoever waited for it finds the note and does not ask again."""
        if self._noted_absent(wanted):
            raise NotFoundError(f"{wanted.what} is not there")
        of_quad, of_mosaic = self._absence_notes(wanted)
        try:
            return self._client.download_mask(wanted.mosaic, wanted.quad, path, verify)
        except (NotEntitledError, StorageError):
            raise
        except NotFoundError:
            _write(of_quad, "{}")
            raise
        except PermanentError:
            _write(of_mosaic, "{}")
            raise

    def _record(self, wanted: _Wanted) -> QuadRecord | None:
        """What is known of the current version of a file, which may be gone."""
        record = self._any_record(wanted)
        current = (wanted.mosaic.revision, self._bands, RULE_VERSION)
        matches = record is not None and (record.mosaic_revision, record.bands, record.rule) == current
        return record if matches else None

    def _any_record(self, wanted: _Wanted) -> QuadRecord | None:
        try:
            path = self._folder / wanted.mosaic.id / f"{wanted.stem}.json"
            return QuadRecord.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def _whole(self, wanted: _Wanted) -> QuadRecord | None:
        """The record of a file that is there as it arrived."""
        record = self._record(wanted)
        return record if record is not None and self._is_there(wanted, record) else None

    def _is_there(self, wanted: _Wanted, record: QuadRecord) -> bool:
        file = self._folder / wanted.mosaic.id / record.file
        return file.is_file() and file.stat().st_size == record.bytes and file_sha256(file) == record.sha256


def _mark_used(record: Path) -> None:
    """The time of a record is that of its quad's last use: the file's own is part of what is known of it."""
    with suppress(FileNotFoundError):
        os.utime(record)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    part.write_text(text)
    part.replace(path)
