"""The source `stac`: Sentinel-2 Level-2A from open STAC catalogues, without an account.

Scenes of one overpass are one picture; the composite is the median of each pixel over its clear pictures. Which
collections are asked, and in which order, is configuration.

Level-1C cannot be had this way: the open catalogues list it as JPEG 2000 in a bucket whose readers pay, which needs an
account with the storage provider. Asked for `sentinel-2-l1c` the source says so and the next source is asked.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError, NotCoveredError, NotEntitledError, NotFoundError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.files.compositing import Combined, median, mosaic
from minemap_assets.imagery.malloc_arenas import limit_malloc_arenas
from minemap_assets.imagery.seasons import CALENDAR_YEAR, Season, SeasonRule
from minemap_assets.imagery.source import Availability, Composite, ImagerySource, Latest, Provenance, latest_until
from minemap_assets.imagery.sources.stac import pixels as stac_pixels
from minemap_assets.imagery.sources.stac.blocks import BlockCache, RemoteFile
from minemap_assets.imagery.sources.stac.config import NAME, PRODUCT, StacConfig, revision_of
from minemap_assets.imagery.sources.stac.forecast import Forecaster, Load
from minemap_assets.imagery.sources.stac.offsets import Offset, needs_pixels, resolve_offset
from minemap_assets.imagery.sources.stac.scenes import Scene, SceneKey
from minemap_assets.imagery.sources.stac.search import Catalogues, Note, Selection
from minemap_assets.imagery.sources.stac.services import Services

FIRST_YEAR = 2015

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class SceneFacts:
    """What is kept of a scene: where it is from, and what was added to its digital numbers, and why."""

    id: str
    collection: str
    processing_baseline: str
    offset: int
    offset_reason: str


@dataclass(frozen=True)
class StacProvenance(Provenance):
    """Provenance with every scene's own offset, what each collection had, and the scenes left out with the reason."""

    scenes: tuple[SceneFacts, ...] = ()
    collections: tuple[Note, ...] = ()
    left_out: tuple[Note, ...] = ()


class StacSource(ImagerySource):
    """Sentinel-2 from STAC catalogues. Safe to use from several threads."""

    def __init__(self, product: str, config: StacConfig, cache: Path, services: Services | None = None) -> None:
        """`cache` is a folder for parts of files, which any number of sources and processes may share.

        Raises `BadInputError` for a product that is not Sentinel-2.
        """
        if not product.startswith("sentinel-2-"):
            raise BadInputError(f"the source {NAME} has no {product}; take it off [imagery.sources] {product}")
        limit_malloc_arenas()
        super().__init__(NAME, product, revision_of(config))
        self._config = config
        self._cache = BlockCache(cache, config.cache_bytes)
        self._services = services or Services(config)
        self._lock = threading.Lock()
        self._known: Catalogues | None = None

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        """The composite of a grid.

        Raises `NotCoveredError` with what each collection had where there is no usable scene, `NotEntitledError` for
        Level-1C, and `RetryableError` or its siblings where a service that is needed fails.
        """
        self._check(bands)
        selection, usable = self._select(grid, season)
        if not usable:
            raise NotCoveredError(self._nothing(selection, season))
        with self._cache.scratch() as scratch:
            work = _Work(grid, tuple(bands), self._config, self._cache, self._services, Path(scratch))
            composite = work.composite(usable)
        if composite is None:
            reasons = {note.text for note in work.left_out} or {"every pixel is cloudy or missing"}
            raise NotCoveredError(
                f"none of {len(usable)} scenes shows this place clearly: {'; '.join(sorted(reasons))}"
            )
        provenance = work.provenance(self.product, usable, selection)
        return Composite(grid, tuple(bands), composite.pixels, composite.clear_count, provenance)

    def shows(self, grid: GeoBox, season: Season) -> bool:
        """Whether there is a scene that `read` would use. Raises as `read` does."""
        return self.product == PRODUCT and bool(self._select(grid, season)[1])

    def would_fetch(self, grids: Sequence[GeoBox], season: Season, bands: Sequence[str]) -> Load:
        """Requests and bytes that reading these grids takes, in their order, by a source that was just opened; what is
        kept here is not counted. Raises as `read` does.
        """
        self._check(bands)
        selected = [self._select(grid, season)[1] for grid in grids]
        forecaster = Forecaster(self._cache, self._services, grids, tuple(bands), self._config.concurrency)
        load = forecaster.load(selected)
        searches = self._services.counted("catalogue", "tokens")
        return load + Load(searches.requests, searches.bytes_read)

    def stop(self) -> None:
        """Send nothing more."""
        self._services.stop()

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        """Scenes of the season that touch an area (EPSG:4326), and the share of it they cover."""
        if self.product != PRODUCT:
            return Availability(0, 0.0)
        scenes = self._catalogues().select(area, season).scenes
        covered = shapely.union_all([s.geometry for s in scenes]).intersection(area) if scenes else None
        share = float(covered.area / area.area) if covered is not None and area.area > 0 else 0.0
        return Availability(len(scenes), min(1.0, share))

    def latest(self) -> Latest:
        """What there is of each calendar year, by the newest scene of the first collection that has any."""
        return self.latest_by_season(CALENDAR_YEAR)

    def latest_by_season(self, rule: SeasonRule) -> Latest:
        """Like `latest`, for the years of a season rule."""
        if self.product != PRODUCT:
            return Latest()
        found = (self._catalogues().newest(collection) for collection in self._config.collections)
        newest = next((scene for scene in found if scene is not None), None)
        if newest is None:
            return Latest()
        return latest_until(newest.moment.astimezone(UTC), rule, FIRST_YEAR)

    def _catalogues(self) -> Catalogues:
        with self._lock:
            if self._known is None:
                endpoints = {c.endpoint: self._services.catalogue(c.endpoint) for c in self._config.collections}
                self._known = Catalogues(self._config.collections, endpoints, self._config.gap_days)
            return self._known

    def _select(self, grid: GeoBox, season: Season) -> tuple[Selection, list[Scene]]:
        """What the catalogues have for a grid, and those of its scenes that are not too cloudy."""
        selection = self._catalogues().select(footprint_wgs84(grid), season)
        return selection, [s for s in selection.scenes if s.cloud_cover <= self._config.max_cloud_cover]

    def _check(self, bands: Sequence[str]) -> None:
        if self.product != PRODUCT:
            raise NotEntitledError(
                f"{self.product} cannot be had through STAC without an account: the open catalogues list it only as "
                "JPEG 2000 in storage whose readers pay; use earth-engine, or an archive of your own"
            )
        for collection in self._config.collections:
            unknown = [band for band in bands if band not in collection.assets.bands]
            if unknown:
                raise BadInputError(
                    f"{collection.name} has no asset for the band {', '.join(unknown)}; name it under [sources.stac] "
                    "collections, or ask for other bands under [imagery] bands"
                )

    def _nothing(self, selection: Selection, season: Season) -> str:
        if selection.scenes:
            cloud = f"all {len(selection.scenes)} scenes have more than {self._config.max_cloud_cover:g} % cloud"
            allow = "allow more with max_cloud_cover under [sources.stac]"
            return f"{cloud} from {season.start} to {season.end}; {allow}"
        had = "; ".join(f"{note.collection}: {note.text}" for note in selection.notes)
        return (
            f"no {self.product} scene shows this place from {season.start} to {season.end} ({had}); name another "
            "source or product for that year"
        )


@dataclass
class _Work:
    """One composite being made."""

    grid: GeoBox
    bands: tuple[str, ...]
    config: StacConfig
    cache: BlockCache
    services: Services
    folder: Path
    left_out: list[Note] = field(default_factory=list)
    offsets: dict[SceneKey, Offset] = field(default_factory=dict)
    used: set[SceneKey] = field(default_factory=set)
    bytes_read: int = 0

    def composite(self, scenes: Sequence[Scene]) -> Combined | None:
        """The median over the scenes; None where no pixel is clear in any."""
        whole = [scene for scene in scenes if self._has_assets(scene)]
        classes = self._fetch([(scene, scene.collection.assets.classes) for scene in whole])
        whole = [scene for scene in whole if self._is_useful(scene, classes)]
        whole = [scene for scene in whole if self._has_offset(scene)]
        wanted = [(scene, scene.collection.assets.bands[band]) for scene in whole for band in self.bands]
        paths = classes | self._fetch(wanted)
        files = [
            stac_pixels.Files(scene, {key: paths[scene.key, key] for key in self._keys(scene)})
            for scene in whole
            if all((scene.key, key) in paths for key in self._keys(scene))
        ]
        if not files:
            return None
        pieces = [self._piece(files, piece) for piece in self._pieces(files)]
        pixels = np.concatenate([piece.pixels for piece in pieces], axis=1)
        return Combined(pixels, np.concatenate([piece.clear_count for piece in pieces])) if pixels.any() else None

    def provenance(self, product: str, scenes: Sequence[Scene], selection: Selection) -> StacProvenance:
        """Where the composite's pixels come from."""
        used = [scene for scene in scenes if scene.key in self.used]
        facts = [
            SceneFacts(scene.id, scene.collection.name, scene.baseline, offset.value or 0, offset.reason)
            for scene, offset in ((scene, self.offsets[scene.key]) for scene in used)
        ]
        offsets = {fact.offset for fact in facts}
        return StacProvenance(
            source=NAME,
            product=product,
            acquisitions=tuple(sorted(scene.id for scene in used)),
            first_date=min(scene.day for scene in used).isoformat(),
            last_date=max(scene.day for scene in used).isoformat(),
            terms="; ".join(sorted({scene.collection.terms for scene in used})),
            redistributable=all(scene.collection.redistributable for scene in used),
            processing_baseline=", ".join(sorted({scene.baseline for scene in used if scene.baseline})),
            offset=float(offsets.pop()) if len(offsets) == 1 else 0.0,
            bytes_read=self.bytes_read,
            acquisition_days=tuple(sorted({scene.day.isoformat() for scene in used})),
            cloud_mask=f"scene classification, hides {', '.join(map(str, self.config.masked_classes))}",
            scenes=tuple(sorted(facts, key=lambda fact: fact.id)),
            collections=selection.notes,
            left_out=tuple(sorted(self.left_out, key=lambda note: (note.collection, note.text))),
        )

    def _pieces(self, files: Sequence[stac_pixels.Files]) -> Iterable[GeoBox]:
        dates = len({f.scene.overpass for f in files})
        rows = stac_pixels.rows_within(self.config.stack_bytes, dates, len(self.bands), int(self.grid.shape[1]))
        first = files[0]
        phase, height = stac_pixels.block_phase(
            first.paths[first.scene.collection.assets.bands[self.bands[0]]], self.grid
        )
        return stac_pixels.blocks(self.grid, rows, phase, height)

    def _piece(self, files: Sequence[stac_pixels.Files], piece: GeoBox) -> Combined:
        def load(one: stac_pixels.Files) -> npt.NDArray[np.uint16]:
            offset = self.offsets[one.scene.key].value or 0
            return stac_pixels.layer(one, self.bands, piece, offset, self.config.masked_classes)

        pictures: list[npt.NDArray[np.uint16]] = []
        overpass = None
        for one, tile in zip(files, _parallel(load, files, stac_pixels.LOADERS), strict=True):
            if not tile.any():
                continue
            self.used.add(one.scene.key)
            if one.scene.overpass == overpass:
                pictures[-1] = mosaic([pictures[-1], tile])
            else:
                pictures.append(tile)
            overpass = one.scene.overpass
        if not pictures:
            empty = np.zeros((len(self.bands), *piece.shape), dtype=np.uint16)
            return Combined(empty, empty[0])
        return median(pictures)

    def _keys(self, scene: Scene) -> list[str]:
        assets = scene.collection.assets
        return [*(assets.bands[band] for band in self.bands), assets.classes]

    def _has_assets(self, scene: Scene) -> bool:
        lacking = [key for key in self._keys(scene) if key not in scene.item.assets]
        if lacking:
            self._leave_out(scene, f"the item has no asset {', '.join(lacking)}")
        return not lacking

    def _is_useful(self, scene: Scene, classes: Mapping[tuple[SceneKey, str], Path]) -> bool:
        """False where nothing of the grid is clear in a scene, whose bands are then not fetched."""
        key = scene.collection.assets.classes
        if (scene.key, key) not in classes:
            return False
        files = stac_pixels.Files(scene, {key: classes[scene.key, key]})
        numbers = stac_pixels.load(files, [key], self.grid)[key]
        return bool(stac_pixels.is_clear(numbers, self.config.masked_classes).any())

    def _has_offset(self, scene: Scene) -> bool:
        pixels = self._coarse(scene) if needs_pixels(scene) else None
        offset = resolve_offset(scene, pixels)
        self.offsets[scene.key] = offset
        if offset.value is None:
            self._leave_out(scene, offset.reason)
        return offset.value is not None

    def _coarse(self, scene: Scene) -> dict[str, npt.NDArray[np.uint16]]:
        """The scene's bands at their coarsest, over the whole tile."""
        keys = {band: scene.collection.assets.bands[band] for band in self.bands}
        paths = self._fetch([(scene, key) for key in keys.values()], coarse=True)
        return {
            band: stac_pixels.coarsest(paths[scene.key, key]) for band, key in keys.items() if (scene.key, key) in paths
        }

    def _fetch(self, wanted: Sequence[tuple[Scene, str]], *, coarse: bool = False) -> dict[tuple[SceneKey, str], Path]:
        """Local files by scene id and asset key; an asset that is not there leaves its scene out."""

        def fetch(task: tuple[Scene, str]) -> tuple[Path, int] | NotFoundError:
            scene, key = task
            remote = RemoteFile(
                self.services.files(scene.collection), stac_pixels.asset_href(scene, key), scene.version
            )
            target = self.folder / f"{remote.key}{'-coarse' if coarse else ''}.tif"
            try:
                local = (
                    self.cache.overview(remote, target) if coarse else self.cache.for_grid(remote, self.grid, target)
                )
            except NotFoundError as error:
                return error
            return local.path, local.bytes_used

        paths = {}
        for (scene, key), found in zip(wanted, _parallel(fetch, wanted, self.config.concurrency), strict=True):
            if isinstance(found, NotFoundError):
                self._leave_out(scene, str(found))
                continue
            paths[scene.key, key], used = found
            self.bytes_read += used
        return paths

    def _leave_out(self, scene: Scene, reason: str) -> None:
        self.left_out.append(Note(f"{scene.collection.name}/{scene.id}", reason))


def _parallel(work: Callable[[T], R], tasks: Sequence[T], threads: int) -> list[R]:
    """Results in order; the first error ends it, and what has not begun is not begun."""
    if len(tasks) < 2:
        return [work(task) for task in tasks]
    pool = ThreadPoolExecutor(max_workers=min(threads, len(tasks)))
    try:
        return list(pool.map(work, tasks))
    finally:
        pool.shutdown(cancel_futures=True)
