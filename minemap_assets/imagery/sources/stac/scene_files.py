"""The files of scenes: their ground, and their numbers on a grid with everything hidden that hides.

What is hidden or missing in a file's own pixels has no part in any mean, so a cloud's edge and the edge of a swath look
alike whether pixels coincide or are interpolated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import NotFoundError
from minemap_assets.imagery.files.warping import (
    Window,
    copied,
    hidden_onto,
    onto,
    sampling_ratio,
    shared_lattice,
    source_window,
)
from minemap_assets.imagery.products import HIGHEST, SCALE
from minemap_assets.imagery.sources.stac.blocks import Part, RemoteFile
from minemap_assets.imagery.sources.stac.scenes import Scene
from minemap_assets.imagery.sources.stac.services import Services

Pixels = npt.NDArray[np.uint16]


class Rasters(Protocol):
    """Files of one format."""

    def ground(self, remote: RemoteFile) -> GeoBox:
        """The ground that a file shows."""

    def read(self, remote: RemoteFile, window: Window | None = None) -> Part:
        """A part of a file at full resolution, or all of its coarsest level, as it is stored."""

    def nodata(self, remote: RemoteFile) -> float | None:
        """The number that the file says means no data."""

    def block_rows(self, remote: RemoteFile) -> int:
        """Rows that are stored together, counted from the file's first; 1 where it does not matter."""


@dataclass(frozen=True)
class SceneFiles:
    """The files of scenes, wherever they lie. All methods raise as `BlockCache.read` does."""

    services: Services
    formats: Mapping[str, Rasters]

    def remote(self, scene: Scene, key: str) -> RemoteFile:
        """One file of a scene."""
        address = self.services.address(scene.collection, asset_href(scene, key))
        return RemoteFile(self.services.files(scene.collection), address, scene.version)

    def rasters(self, scene: Scene) -> Rasters:
        """How the scene's files are read."""
        return self.formats[scene.collection.files]


@dataclass(frozen=True, eq=False)
class Hidden:
    """Where pixels are hidden: True (row, column) on the ground `place`, and everywhere beyond it."""

    mask: npt.NDArray[np.bool_]
    place: GeoBox

    def on(self, grid: GeoBox) -> npt.NDArray[np.bool_]:
        """The same on a grid."""
        return hidden_onto(self.mask, self.place, grid)


class Hiding:
    """All that hides pixels of one scene. Safe from several threads."""

    def __init__(self, every: Sequence[Hidden] = ()) -> None:
        self._every = tuple(every)
        self._known: dict[GeoBox, npt.NDArray[np.bool_]] = {}

    def on(self, grid: GeoBox) -> npt.NDArray[np.bool_]:
        """True (row, column) where anything hides a pixel of a grid; asked for a grid again it is the same array."""
        found = self._known.get(grid)
        if found is None:
            found = np.zeros(grid.shape, dtype=np.bool_)
            for one in self._every:
                found |= one.on(grid)
            self._known[grid] = found
        return found


@dataclass(frozen=True, eq=False)
class OnGrid:
    """Reflectance x 10,000 (row, column) on a grid, 0 = missing or hidden; `used` as in `Part`."""

    pixels: Pixels
    used: Mapping[str, int]


@dataclass(frozen=True)
class Placing:
    """How a file's numbers get onto `grid`, a block of rows of `whole`."""

    grid: GeoBox
    whole: GeoBox
    offset: int

    def bring(self, rasters: Rasters, remote: RemoteFile, hiding: Hiding) -> OnGrid:
        """A band on the grid. Missing is 0, what the file's tag says, and what no reflectance has."""
        ground = rasters.ground(remote)
        window = source_window(ground, self.grid, self.whole)
        if window is None:
            return OnGrid(np.zeros(self.grid.shape, dtype=np.uint16), {})
        part = rasters.read(remote, window)
        numbers, place = part.numbers, window.of(ground)
        missing = self._missing(numbers, rasters.nodata(remote))
        missing |= hiding.on(place)
        if shared_lattice(place, self.grid) is not None and numbers.dtype == np.uint16:
            stored = copied(_shifted(numbers, self.offset, missing)[np.newaxis], place, self.grid, np.uint16(0))[0]
        else:
            stored = self._interpolated(numbers, missing, place, sampling_ratio(ground, self.whole))
        return OnGrid(stored, part.used)

    def _missing(self, numbers: npt.NDArray[Any], nodata: float | None) -> npt.NDArray[np.bool_]:
        missing = np.asarray(numbers == 0, dtype=np.bool_)
        missing |= numbers > HIGHEST * SCALE - self.offset
        if nodata:
            missing |= numbers == nodata
        return missing

    def _interpolated(
        self, numbers: npt.NDArray[Any], missing: npt.NDArray[np.bool_], place: GeoBox, ratio: Any
    ) -> Pixels:
        values = numbers.astype(np.float32)
        values[missing] = np.nan
        found = onto(values[np.newaxis], place, self.grid, ratio)[0]
        seen = np.isfinite(found)
        rounded = np.floor(np.where(seen, found, np.float32(0.0)) + np.float32(self.offset + 0.5))
        stored = np.clip(rounded, 1, np.iinfo(np.uint16).max).astype(np.uint16)
        return np.where(seen, stored, np.uint16(0))


def read_hidden(rasters: Rasters, remote: RemoteFile, grid: GeoBox, rule: Any) -> tuple[Hidden, Mapping[str, int]]:
    """Where a mask hides pixels of a grid, and what was used for it as in `Part`; `rule` says which numbers do."""
    ground = rasters.ground(remote)
    window = source_window(ground, grid)
    if window is None:
        return Hidden(np.ones((1, 1), dtype=np.bool_), grid.zoom_to((1, 1))), {}
    part = rasters.read(remote, window)
    return Hidden(rule.hides(part.numbers), window.of(ground)), part.used


def asset_href(scene: Scene, key: str) -> str:
    """Address of an asset, whole. Raises `NotFoundError` where the item has none."""
    if key not in scene.item.assets:
        raise NotFoundError(f"the item has no asset {key}")
    return str(scene.item.assets[key].get_absolute_href() or scene.item.assets[key].href)


def _shifted(numbers: Pixels, offset: int, missing: npt.NDArray[np.bool_]) -> Pixels:
    """Numbers of this array with the offset added, at least 1, and 0 where missing; the array is changed."""
    if offset < 0:
        np.maximum(numbers, np.uint16(1 - offset), out=numbers)
        np.subtract(numbers, np.uint16(-offset), out=numbers)
    elif offset > 0:
        np.minimum(numbers, np.uint16(np.iinfo(np.uint16).max - offset), out=numbers)
        np.add(numbers, np.uint16(offset), out=numbers)
    np.multiply(numbers, ~missing, out=numbers)
    return numbers
