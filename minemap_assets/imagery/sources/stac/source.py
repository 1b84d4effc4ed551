"""The source `stac`: Sentinel-2 from STAC catalogues, most of them open without an account.

Scenes of one overpass are one picture; the composite is the median of each pixel over its clear pictures. Which
collections are asked, and in which order, is configuration.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC

import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import AuthenticationError, BadInputError, NotCoveredError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.malloc_arenas import limit_malloc_arenas
from minemap_assets.imagery.seasons import CALENDAR_YEAR, Season, SeasonRule
from minemap_assets.imagery.source import (
    COMPLETE,
    Availability,
    Composite,
    ImagerySource,
    Latest,
    Provenance,
    latest_until,
)
from minemap_assets.imagery.sources.stac.blocks import BlockCache
from minemap_assets.imagery.sources.stac.cloud_masks import mask_words, model_mask
from minemap_assets.imagery.sources.stac.composing import Composing
from minemap_assets.imagery.sources.stac.config import NAME, SERVED, StacConfig, revision_of
from minemap_assets.imagery.sources.stac.forecast import Forecaster, Load
from minemap_assets.imagery.sources.stac.scene_files import SceneFiles
from minemap_assets.imagery.sources.stac.scenes import Scene
from minemap_assets.imagery.sources.stac.search import Catalogues, Note, Selection
from minemap_assets.imagery.sources.stac.services import Services
from minemap_assets.imagery.sources.stac.static_index import indexes, stand_in
from minemap_assets.imagery.sources.stac.whole_files import WholeFiles
from minemap_assets.lake.kept_files import KeptFiles

FIRST_YEAR = 2015

CLOSED_FROM = 3
"""So many files without one that is shown mean closed storage; fewer may all be missing."""


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
    """Provenance with every scene's own offset, what each collection had, and the scenes left out with the reason.

    `filled` counts scenes that gave pixels and come from another collection than the first one.
    """

    scenes: tuple[SceneFacts, ...] = ()
    filled: int = 0
    collections: tuple[Note, ...] = ()
    left_out: tuple[Note, ...] = ()


class StacSource(ImagerySource):
    """Sentinel-2 from STAC catalogues. Safe to use from several threads."""

    def __init__(self, product: str, config: StacConfig, kept: KeptFiles, services: Services | None = None) -> None:
        """`kept` is for parts of files, which any number of sources and processes may share.

        Raises `BadInputError` for a product that is not Sentinel-2, or that no collection of the settings holds.
        """
        if product not in SERVED:
            raise BadInputError(f"the source {NAME} has no {product}; take it off [imagery.sources] {product}")
        limit_malloc_arenas()
        super().__init__(NAME, product, revision_of(config, product))
        self._config = config
        self._collections = config.collections_for(product)
        if not self._collections:
            raise BadInputError(f"no collection under [sources.stac] holds {product}; name one that does in use")
        self._services = services or Services(config)
        self._kept = kept
        self._blocks = BlockCache(kept)
        self._files = SceneFiles(self._services, {"cog": self._blocks, "jp2": WholeFiles(kept)})
        self._lock = threading.Lock()
        self._known: Catalogues | None = None

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        """The composite of a grid.

        Raises `NotCoveredError` with what each collection had where there is no usable scene, and `RetryableError` or
        its siblings where a service that is needed fails.
        """
        self._check(bands)
        selection, usable = self._select(grid, season, bands)
        if not usable:
            raise NotCoveredError(self._nothing(selection, season))
        model = model_mask(self._config, self.product)
        area = footprint_wgs84(grid)

        def copies(scene: Scene) -> Sequence[Scene]:
            return self._catalogues().copies(scene, area, season, bands)

        work = Composing(grid, tuple(bands), self._config, self._files, model, copies)
        composite = work.composite(usable)
        if composite is None:
            if work.closed and len(work.left_out) >= max(CLOSED_FROM, len(usable)):
                raise AuthenticationError(f"none of {len(usable)} scenes can be read: {min(work.left_out.values())}")
            reasons = set(work.left_out.values()) or {"every pixel is cloudy or missing"}
            raise NotCoveredError(
                f"none of {len(usable)} scenes shows this place clearly: {'; '.join(sorted(reasons))}"
            )
        return Composite(grid, tuple(bands), composite.pixels, composite.clear_count, self._provenance(work, selection))

    def shows(self, grid: GeoBox, season: Season) -> bool:
        """Whether there is a scene that `read` would use. Raises as `read` does."""
        return bool(self._select(grid, season)[1])

    def would_fetch(self, grids: Sequence[GeoBox], season: Season, bands: Sequence[str]) -> Load:
        """Requests and bytes that reading these grids takes, in their order, by a source that was just opened; what is
        kept here is not counted. Raises as `read` does.
        """
        self._check(bands)
        selected = [self._select(grid, season, bands)[1] for grid in grids]
        forecaster = Forecaster(self._blocks, self._files, self._config, grids, tuple(bands))
        load = forecaster.load(selected)
        searches = self._services.counted("catalogue", "tokens")
        return load + Load(searches.requests, searches.bytes_read)

    def stop(self) -> None:
        """Send nothing more."""
        self._services.stop()

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        """Scenes of the season that touch an area (EPSG:4326), and the share of it they cover."""
        scenes = self._catalogues().select(area, season).scenes
        covered = shapely.union_all([s.geometry for s in scenes]).intersection(area) if scenes else None
        share = float(covered.area / area.area) if covered is not None and area.area > 0 else 0.0
        return Availability(len(scenes), min(1.0, share))

    def latest(self) -> Latest:
        """What there is of each calendar year, by the newest scene of the first collection that has any."""
        return self.latest_by_season(CALENDAR_YEAR)

    def latest_by_season(self, rule: SeasonRule) -> Latest:
        """Like `latest`, for the years of a season rule; one that has ended changes where a catalogue fills a gap."""
        latest = self.newest(rule)
        ended = [year for year, state in latest.revisions.items() if state == COMPLETE]
        held = self._catalogues().holdings(rule, ended)
        states = {y: f"{state} ({held[y]})" if held.get(y) else state for y, state in latest.revisions.items()}
        return replace(latest, revisions=states)

    def newest(self, rule: SeasonRule) -> Latest:
        """Like `latest_by_season`, by the newest scene alone: one question."""
        found = (self._catalogues().newest(collection) for collection in self._collections)
        newest = next((scene for scene in found if scene is not None), None)
        if newest is None:
            return Latest()
        return latest_until(newest.moment.astimezone(UTC), rule, FIRST_YEAR)

    def _catalogues(self) -> Catalogues:
        with self._lock:
            if self._known is None:
                endpoints = {c.endpoint: self._services.catalogue(c.endpoint) for c in self._collections}
                here = indexes(self._collections, self._services, self._kept.root)
                instead = stand_in(self._config, self._services, self._kept.root)
                self._known = Catalogues(self._collections, endpoints, here, instead)
            return self._known

    def _select(self, grid: GeoBox, season: Season, bands: Sequence[str] = ()) -> tuple[Selection, list[Scene]]:
        """What the catalogues have for a grid, and those of its scenes that are not too cloudy."""
        selection = self._catalogues().select(footprint_wgs84(grid), season, bands)
        return selection, [s for s in selection.scenes if s.cloud_cover <= self._config.max_cloud_cover]

    def _check(self, bands: Sequence[str]) -> None:
        for collection in self._collections:
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

    def _provenance(self, work: Composing, selection: Selection) -> StacProvenance:
        """Where the composite's pixels come from."""
        used = sorted(work.used.values(), key=lambda scene: scene.id)
        facts = tuple(
            SceneFacts(scene.id, scene.collection.name, scene.baseline, offset.value or 0, offset.reason)
            for scene, offset in ((scene, work.offsets[scene.key]) for scene in used)
        )
        offsets = {fact.offset for fact in facts}
        masks = sorted({mask_words(scene.collection, self._config) for scene in used})
        return StacProvenance(
            source=NAME,
            product=self.product,
            acquisitions=tuple(scene.id for scene in used),
            first_date=min(scene.day for scene in used).isoformat(),
            last_date=max(scene.day for scene in used).isoformat(),
            terms="; ".join(sorted({scene.collection.terms for scene in used})),
            redistributable=all(scene.collection.redistributable for scene in used),
            processing_baseline=", ".join(sorted({scene.baseline for scene in used if scene.baseline})),
            offset=float(offsets.pop()) if len(offsets) == 1 else 0.0,
            bytes_read=work.bytes_read,
            acquisition_days=tuple(sorted({scene.day.isoformat() for scene in used})),
            cloud_mask="; or ".join(masks),
            scenes=facts,
            filled=sum(scene.collection.name != self._collections[0].name for scene in used),
            collections=selection.notes,
            left_out=tuple(sorted({*selection.left_out, *work.notes()}, key=lambda n: (n.collection, n.text))),
        )
