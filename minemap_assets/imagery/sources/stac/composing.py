"""A composite made from scenes: the median of each pixel over its clear pictures, some rows at a time.

Of every image the first copy that can be read and shows something plausible counts; copies that are broken are left out
with the reason, and never hide a good one.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import NotFoundError
from minemap_assets.imagery.files.compositing import Combined, median, mosaic
from minemap_assets.imagery.files.tiff_directories import UnreadableError
from minemap_assets.imagery.files.warping import shared_lattice
from minemap_assets.imagery.sources.stac.cloud_masks import ModelMask, masks_of
from minemap_assets.imagery.sources.stac.config import PRODUCT, StacConfig
from minemap_assets.imagery.sources.stac.offsets import Offset, needs_pixels, resolve_offset
from minemap_assets.imagery.sources.stac.plausibility import implausible
from minemap_assets.imagery.sources.stac.scene_files import Hidden, Hiding, OnGrid, Placing, SceneFiles, read_hidden
from minemap_assets.imagery.sources.stac.scenes import Scene, SceneKey
from minemap_assets.imagery.sources.stac.search import Note
from minemap_assets.net.policy import HiddenKeyError

AT_ONCE = 3
"""Images of one composite read at a time, each with all its bands."""

JUDGED = 512
"""Pixels along a side of the middle of a site by which a scene is judged, however many rows are made at a time."""

Pixels = npt.NDArray[np.uint16]


class _BrokenError(Exception):
    """A copy of an image is of no use; the text says why."""


@dataclass(frozen=True, eq=False)
class _Picture:
    """One scene on a grid: (band, row, column), 0 = not observed."""

    scene: Scene
    pixels: Pixels


@dataclass
class Composing:
    """One composite being made.

    `model` masks clouds where no file does. `copies` looks for further copies of a scene's image, where none of those
    that are known is of use. `closed` stays True as long as storage refuses everybody whatever is left out.
    """

    grid: GeoBox
    bands: tuple[str, ...]
    config: StacConfig
    files: SceneFiles
    model: ModelMask | None
    copies: Callable[[Scene], Sequence[Scene]]
    left_out: dict[SceneKey, str] = field(default_factory=dict)
    offsets: dict[SceneKey, Offset] = field(default_factory=dict)
    used: dict[SceneKey, Scene] = field(default_factory=dict)
    closed: bool = True
    _used: dict[str, int] = field(default_factory=dict)
    _hidden: dict[SceneKey, tuple[Hidden, ...]] = field(default_factory=dict)
    _verdicts: dict[SceneKey, str | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def composite(self, scenes: Sequence[Scene]) -> Combined | None:
        """The median over scenes in order of time; None where no pixel is clear in any."""
        with _pool(self.config.concurrency) as bands, _pool(AT_ONCE) as images:
            self._look_ahead(scenes, bands)
            pieces = [self._piece(scenes, piece, images, bands) for piece in self._pieces(scenes)]
        pixels = np.concatenate([piece.pixels for piece in pieces], axis=1)
        return Combined(pixels, np.concatenate([piece.clear_count for piece in pieces])) if pixels.any() else None

    @property
    def bytes_read(self) -> int:
        """Bytes of everything that was needed, as it is stored, each counted once."""
        return sum(self._used.values())

    def notes(self) -> tuple[Note, ...]:
        """The copies that were left out, with the reason."""
        return tuple(Note("/".join(key), reason) for key, reason in sorted(self.left_out.items()))

    def _pieces(self, scenes: Sequence[Scene]) -> Iterator[GeoBox]:
        dates = len({scene.overpass for scene in scenes})
        rows = rows_within(self.config.stack_bytes, dates, len(self.bands), int(self.grid.shape[1]))
        phase, height = self._block_rows(scenes[0]) if rows < int(self.grid.shape[0]) else (0, rows)
        return row_blocks(self.grid, rows, phase, height)

    def _block_rows(self, scene: Scene) -> tuple[int, int]:
        """First edge of a scene's blocks among the grid's rows, and the blocks' height; rows count from 0 and singly
        where that cannot be told.
        """
        rasters, remote = (
            self.files.rasters(scene),
            self.files.remote(scene, scene.collection.assets.bands[self.bands[0]]),
        )
        try:
            shared = shared_lattice(rasters.ground(remote), self.grid)
            height = rasters.block_rows(remote)
        except (NotFoundError, UnreadableError):
            return 0, 1
        return (-shared[1] % height, height) if shared is not None else (0, 1)

    def _piece(
        self, scenes: Sequence[Scene], piece: GeoBox, images: ThreadPoolExecutor, bands: ThreadPoolExecutor
    ) -> Combined:
        merged: list[Pixels] = []
        overpass = None
        for picture in images.map(lambda scene: self._image(scene, piece, bands), scenes):
            if picture is None:
                continue
            self.used[picture.scene.key] = picture.scene
            if picture.scene.overpass == overpass:
                merged[-1] = mosaic([merged[-1], picture.pixels])
            else:
                merged.append(picture.pixels)
            overpass = picture.scene.overpass
        if not merged:
            empty = np.zeros((len(self.bands), *piece.shape), dtype=np.uint16)
            return Combined(empty, empty[0])
        return median(merged)

    def _image(self, scene: Scene, piece: GeoBox, bands: ThreadPoolExecutor) -> _Picture | None:
        """The first copy of an image that is of use; None where it shows nothing of the piece, or no copy is."""
        for copy in self._offered(scene):
            if copy.key in self.left_out:
                continue
            try:
                pixels = self._copy(copy, piece, bands)
            except (NotFoundError, UnreadableError, _BrokenError) as error:
                with self._lock:
                    self.left_out[copy.key] = str(error)
                    self.closed &= isinstance(error, HiddenKeyError)
                continue
            return _Picture(copy, pixels) if pixels is not None else None
        return None

    def _offered(self, scene: Scene) -> Iterator[Scene]:
        """Copies of an image, in the order in which they are tried; others are looked for only at the end."""
        yield scene
        yield from scene.alternatives
        yield from self.copies(scene)

    def _copy(self, scene: Scene, piece: GeoBox, bands: ThreadPoolExecutor) -> Pixels | None:
        """One copy on the piece; None where nothing of it is clear, whose bands are then not read."""
        offset = self._offset(scene)
        hiding = Hiding(self._hides(scene, offset, bands))
        if hiding.on(piece).all():
            return None
        found = self._read(scene, self.bands, Placing(piece, self.grid, offset), hiding, bands)
        pixels = _together(found)
        if scene.key not in self._verdicts:
            middle = _middle(self.grid)
            if piece.shape == self.grid.shape:
                shown = pixels[:, *middle]
            else:
                shown = _together(
                    self._read(scene, self.bands, Placing(self.grid[middle], self.grid, offset), hiding, bands)
                )
            surface = scene.collection.product == PRODUCT
            self._verdicts[scene.key] = implausible(dict(zip(self.bands, shown, strict=True)), surface=surface)
        reason = self._verdicts[scene.key]
        if reason is not None:
            raise _BrokenError(reason)
        return pixels if pixels.any() else None

    def _read(
        self,
        scene: Scene,
        names: Sequence[str],
        placing: Placing,
        hiding: Hiding,
        pool: ThreadPoolExecutor,
    ) -> list[OnGrid]:
        rasters = self.files.rasters(scene)
        remotes = [self.files.remote(scene, scene.collection.assets.bands[name]) for name in names]
        found = list(pool.map(lambda remote: placing.bring(rasters, remote, hiding), remotes))
        self._count(one.used for one in found)
        return found

    def _look_ahead(self, scenes: Sequence[Scene], pool: ThreadPoolExecutor) -> None:
        """Read the masks of all scenes, so that far away files are not waited for one scene after the other."""

        def look(scene: Scene) -> None:
            with suppress(NotFoundError, UnreadableError):  # met again, and told, where the scene is read
                self._masks(scene)

        for _ in pool.map(look, scenes):
            pass

    def _masks(self, scene: Scene) -> tuple[Hidden, ...]:
        """What the files of a scene hide, on all of the grid."""
        if scene.key not in self._hidden:
            rasters = self.files.rasters(scene)
            found = [
                read_hidden(rasters, self.files.remote(scene, mask.key), self.grid, mask.rule)
                for mask in masks_of(scene.collection, self.config)
            ]
            self._count(used for _, used in found)
            self._hidden[scene.key] = tuple(hidden for hidden, _ in found)
        return self._hidden[scene.key]

    def _hides(self, scene: Scene, offset: int, bands: ThreadPoolExecutor) -> tuple[Hidden, ...]:
        """All that hides pixels of a scene."""
        masks = self._masks(scene)
        if not masks and self.model is not None:
            masks = self._hidden[scene.key] = (self._modelled(scene, offset, self.model, bands),)
        return masks

    def _modelled(self, scene: Scene, offset: int, model: ModelMask, bands: ThreadPoolExecutor) -> Hidden:
        own = abs(float(self.grid.affine.a))
        coarse = self.grid.pad_wh(1, 1) if own >= model.working_m else self.grid.zoom_out(model.working_m / own)
        place = coarse.pad(int(np.ceil(model.margin_m / abs(float(coarse.affine.a)))))
        found = self._read(scene, model.bands, Placing(place, place, offset), Hiding(), bands)
        numbers = np.stack([one.pixels for one in found]).astype(np.float32)
        reflectance = np.where(numbers > 0, numbers / np.float32(10_000.0), np.float32(np.nan))
        return Hidden(model.hides(reflectance, abs(float(place.affine.a))), place)

    def _offset(self, scene: Scene) -> int:
        """Raises `_BrokenError` where it cannot be told."""
        if scene.key not in self.offsets:
            self.offsets[scene.key] = resolve_offset(scene, self._coarse(scene) if needs_pixels(scene) else None)
        offset = self.offsets[scene.key]
        if offset.value is None:
            raise _BrokenError(offset.reason)
        return offset.value

    def _coarse(self, scene: Scene) -> dict[str, Pixels]:
        """The scene's bands at their coarsest, over the whole tile."""
        rasters = self.files.rasters(scene)
        keys = {band: scene.collection.assets.bands[band] for band in self.bands}
        parts = {band: rasters.read(self.files.remote(scene, key)) for band, key in keys.items()}
        self._count(part.used for part in parts.values())
        return {band: part.numbers for band, part in parts.items()}

    def _count(self, used: Iterable[Mapping[str, int]]) -> None:
        with self._lock:
            for one in used:
                self._used.update(one)


def _together(bands: Sequence[OnGrid]) -> Pixels:
    """Bands (band, row, column), 0 in all of them where one is missing."""
    pixels = np.stack([one.pixels for one in bands])
    pixels *= (pixels > 0).all(axis=0)
    return pixels


def _middle(grid: GeoBox) -> tuple[slice, slice]:
    """Rows and columns around the middle of a grid."""
    starts = [max(0, (int(length) - JUDGED) // 2) for length in grid.shape]
    rows, columns = (slice(start, start + min(JUDGED, int(n))) for start, n in zip(starts, grid.shape, strict=True))
    return rows, columns


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads; after an error what has not begun is not begun."""
    pool = ThreadPoolExecutor(max_workers=threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def rows_within(memory: int, dates: int, bands: int, width: int) -> int:
    """Rows of a composite whose working arrays stay within `memory` bytes, whatever the number of dates.

    A pixel takes two bytes a date and band; a scene on its way takes as much as three dates, the result as one.
    """
    per_row = width * 2 * (bands + 1) * (max(1, dates) + 3 * AT_ONCE + 1)
    return max(1, memory // per_row)


def row_blocks(grid: GeoBox, rows: int, phase: int = 0, block: int = 1) -> Iterator[GeoBox]:
    """The grid in pieces of at most `rows` rows, cut where possible at the edges of the files' blocks.

    Those lie every `block` rows, the first edge at row `phase` of the grid.
    """
    height, top = int(grid.shape[0]), 0
    while top < height:
        bottom = min(height, top + rows)
        if bottom < height:
            edge = phase + (bottom - phase) // block * block
            bottom = edge if edge > top else bottom
        yield grid[top:bottom, :]
        top = bottom
