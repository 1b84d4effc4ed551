"""The source `archive`: GeoTIFF and COG files in a folder or under a URL prefix, found through an index.

Images of the same days are one mosaic (the first by id lies on top); several such mosaics in a season become
the median of each pixel. Where a cloud mask hides a pixel of an image, the image does not show it; an
image without a mask shows all. An image that lacks one of the bands asked for is left out, and an error
where none has them all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import groupby

import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError, NotCoveredError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.files.compositing import median, mosaic
from minemap_assets.imagery.files.images import ArchiveIndex
from minemap_assets.imagery.files.mosaic_pieces import read_together
from minemap_assets.imagery.files.reading import Part
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import (
    NO_CLOUD_MASK,
    Availability,
    Composite,
    ImagerySource,
    Latest,
    Provenance,
    days_text,
)
from minemap_assets.imagery.sources.archive.indexed_images import NAME, IndexedImage, images_of, revision_of
from minemap_assets.net.policy import StopSignal

STACK_BYTES = 256_000_000
"""A composite of more bytes than this, over all dates, is made in blocks of rows."""

_FEWEST_ROWS = 16


@dataclass(frozen=True, eq=False)
class _Block:
    """Some rows of a composite, and the ids of the images that gave pixels."""

    pixels: npt.NDArray[np.uint16]
    clear_count: npt.NDArray[np.uint16]
    used: frozenset[str]
    bytes_read: int


class ArchiveSource(ImagerySource):
    """Images of one product in one or more indexed archives. Safe to use from several threads."""

    def __init__(self, product: str, indexes: Sequence[ArchiveIndex], *, stack_bytes: int = STACK_BYTES) -> None:
        self._stack_bytes = stack_bytes
        self._stop = StopSignal()
        self._indexes = tuple(indexes)
        self._found = images_of(product, indexes)
        super().__init__(NAME, known_product(product).name, revision_of(self._found))
        self._geometries = np.array([f.image.geometry for f in self._found], dtype=object)
        self._tree = shapely.STRtree(self._geometries)

    def revision_for(self, grid: GeoBox, season: Season) -> str:
        """Changes only with the files that `read` would open for this grid and season."""
        return revision_of(self._select(footprint_wgs84(grid), season))

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        """The composite of a grid.

        Raises `NotCoveredError` where no image shows the place in the season, and `BadInputError` naming the file
        where one cannot be read or where the images lack a band.
        """
        found = self._select(footprint_wgs84(grid), season)
        if not found:
            raise NotCoveredError(
                f"no {self.product} image in {self._names()} shows this place from {season.start} to {season.end}; "
                "index images of it with `minemap archive index FOLDER`, or name another source or product for it"
            )
        usable = [f for f in found if not set(bands) - set(f.image.bands)]
        if not usable:
            raise self._lacks(found, bands)
        rows = self._stack_bytes // (len(usable) * len(bands) * int(grid.shape[1]) * np.dtype(np.uint16).itemsize)
        blocks = [self._block(usable, part, grid, tuple(bands)) for part in _blocks(grid, rows)]
        pixels = np.concatenate([b.pixels for b in blocks], axis=1)
        if not pixels.any():
            raise NotCoveredError(f"the {self.product} images in {self._names()} have no observed pixel at this place")
        used_ids = frozenset().union(*(b.used for b in blocks))
        used = [f for f in usable if f.image.id in used_ids]
        count = np.concatenate([b.clear_count for b in blocks])
        return Composite(grid, tuple(bands), pixels, count, self._provenance(used, sum(b.bytes_read for b in blocks)))

    def stop(self) -> None:
        """Open no further file."""
        self._stop.set()

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        """Images of the season that touch an area (EPSG:4326), and the share of it they cover."""
        found = self._select(area, season)
        covered = shapely.union_all([f.image.geometry for f in found]).intersection(area) if found else None
        share = float(covered.area / area.area) if covered is not None and area.area > 0 else 0.0
        return Availability(len(found), min(1.0, share))

    def latest(self) -> Latest:
        """A revision for each calendar year that has images (a mosaic's own year where it states one)."""
        years: dict[int, list[IndexedImage]] = {}
        for found in self._found:
            image = found.image
            for year in [image.year] if image.year is not None else range(image.start.year, image.end.year + 1):
                years.setdefault(year, []).append(found)
        return self._latest({year: revision_of(members) for year, members in years.items()})

    def latest_by_season(self, rule: SeasonRule) -> Latest:
        """Like `latest`, for the years of a season rule, which may run across New Year."""
        years = {f.image.start.year + d for f in self._found for d in (-1, 0)}
        years |= {f.image.end.year for f in self._found} | {f.image.year for f in self._found if f.image.year}
        members = {y: [f for f in self._found if f.image.within(rule.season(y))] for y in years}
        return self._latest({year: revision_of(found) for year, found in members.items() if found})

    def _latest(self, revisions: Mapping[int, str]) -> Latest:
        newest = max((f.image.end for f in self._found), default=None)
        moment = None if newest is None else datetime.combine(newest, time(), UTC)
        return Latest(dict(sorted(revisions.items())), moment)

    def _select(self, area: BaseGeometry, season: Season) -> list[IndexedImage]:
        places = sorted(self._tree.query(area, predicate="intersects").tolist())
        return [self._found[i] for i in places if self._found[i].image.within(season)]

    def _block(self, found: Sequence[IndexedImage], grid: GeoBox, whole: GeoBox, bands: tuple[str, ...]) -> _Block:
        used: set[str] = set()
        layers: list[npt.NDArray[np.uint16]] = []
        read = 0
        for _, members in groupby(found, key=lambda f: f.days):
            tiles, ordered = [], list(members)
            for joined in read_together([Part(m.root, m.image) for m in ordered], grid, whole, bands):
                self._stop.check()
                read += joined.tile.bytes_read
                if joined.used:
                    used.update(ordered[place].image.id for place in joined.used)
                    tiles.append(joined.tile.pixels)
            if tiles:
                layers.append(mosaic(tiles))
        if not layers:
            empty = np.zeros((len(bands), *grid.shape), dtype=np.uint16)
            return _Block(empty, empty[0], frozenset(), read)
        combined = median(layers)
        return _Block(combined.pixels, combined.clear_count, frozenset(used), read)

    def _provenance(self, used: Sequence[IndexedImage], bytes_read: int) -> Provenance:
        images = [f.image for f in used]
        offsets = sorted({a.offset / a.scale for i in images for a in i.assets})
        masks = {mask.rule for i in images for mask in i.clouds} | {NO_CLOUD_MASK for i in images if not i.clouds}
        # On which days of its year a yearly mosaic was taken nobody said.
        days = () if any(i.year for i in images) else sorted({days_text(i.start, i.end) for i in images})
        return Provenance(
            source=NAME,
            product=self.product,
            acquisitions=tuple(sorted({i.id for i in images})),
            first_date=min(i.start for i in images).isoformat(),
            last_date=max(i.end for i in images).isoformat(),
            terms="; ".join(sorted({i.terms for i in images if i.terms})),
            redistributable=all(i.redistributable for i in images),
            processing_baseline=", ".join(sorted({i.processing_baseline for i in images if i.processing_baseline})),
            offset=offsets[0] if len(offsets) == 1 else 0.0,
            bytes_read=bytes_read,
            acquisition_days=tuple(days),
            cloud_mask="; ".join(sorted(masks)),
        )

    def _lacks(self, found: Sequence[IndexedImage], bands: Sequence[str]) -> BadInputError:
        order = known_product(self.product).bands
        has = {band for f in found for band in f.image.bands}
        lacking = [b for b in bands if b not in has]
        what = f"no band {', '.join(lacking)}" if lacking else "no image with all the bands asked for"
        return BadInputError(
            f"{self._names()} has {what} here, only {', '.join(b for b in order if b in has)}; "
            "ask for those under [imagery] bands or index files that have the others"
        )

    def _names(self) -> str:
        names = ", ".join(index.name for index in self._indexes)
        return f"the archive {names}" if len(self._indexes) == 1 else f"the archives {names or '(none)'}"


def _blocks(grid: GeoBox, rows: int) -> Iterator[GeoBox]:
    height, step = int(grid.shape[0]), max(_FEWEST_ROWS, rows)
    for top in range(0, height, step):
        yield grid[top : min(height, top + step), :]
