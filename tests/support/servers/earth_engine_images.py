"""Images of the Earth Engine stand-in: pixels of local files on any grid, computed when they are asked for.

As in Earth Engine, a source image is brought onto the grid that is asked for before anything else happens: by nearest
neighbour, or bilinearly between four pixels where its `resample` was called. On a grid of pixels at least twice as
large a band shows the means of its own (pyramids). A computed image has the projection of the first image it comes
from, and `reproject` computes it on the pixels of a projection first. A band that lies in several files is one picture
before it is resampled.

What the service does beside masked pixels when it interpolates is documented nowhere. `NEIGHBOURS` says what this
stand-in does: mask the result too, or share the weight of the masked pixels among the others.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from shapely.geometry.base import BaseGeometry

Numbers = npt.NDArray[np.float64]
Mode = Literal["nearest", "bilinear"]

_MARGIN = 4
"""Source pixels read around the grid."""

NEIGHBOURS: list[Literal["mask", "share"]] = ["mask"]
"""The last entry holds."""

_NEXT_TO_NOTHING = 1e-6

_COARSER = 1.9
"""Source pixels along the side of a pixel that is asked for, from which pyramids answer."""


@dataclass(frozen=True)
class Grid:
    """The pixels that are asked for."""

    width: int
    height: int
    transform: Affine
    crs: str

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        left, top = self.transform @ (0, 0)
        right, bottom = self.transform @ (self.width, self.height)
        return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


@dataclass(frozen=True, eq=False)
class Planes:
    """Bands on a grid: values and mask (True = there), both (band, row, column)."""

    names: tuple[str, ...]
    values: Numbers
    mask: npt.NDArray[np.bool_]


Render = Callable[[Grid, Mode], Planes]


@dataclass(frozen=True)
class Projection:
    """Where the pixels of a band lie."""

    transform: Affine
    crs: str

    def around(self, grid: Grid) -> Grid:
        """Its pixels under a grid, with a margin."""
        from rasterio.warp import transform_bounds

        left, bottom, right, top = transform_bounds(grid.crs, self.crs, *grid.bounds, densify_pts=21)
        inverse = ~self.transform
        corners = [inverse @ point for point in ((left, top), (right, top), (left, bottom), (right, bottom))]
        west, north = (math.floor(min(c[axis] for c in corners)) - _MARGIN for axis in (0, 1))
        east, south = (math.ceil(max(c[axis] for c in corners)) + _MARGIN for axis in (0, 1))
        return Grid(east - west, south - north, self.transform @ Affine.translation(west, north), self.crs)


@dataclass(eq=False)
class Image:
    """An image that is not computed yet; `parts` are the bands of one that is kept in files. `projections` are those of
    its bands, in no order; one that is `placed` (kept in files, or reprojected) can be resampled.
    """

    render: Render
    properties: Mapping[str, Any] = field(default_factory=dict)
    footprint: BaseGeometry = field(default_factory=shapely.Polygon)
    parts: Mapping[str, "Image"] = field(default_factory=dict)
    projections: frozenset[Projection] = frozenset()
    placed: bool = False
    _known: dict[tuple[Grid, Mode], Planes] = field(default_factory=dict)

    def on(self, grid: Grid, mode: Mode = "nearest") -> Planes:
        """Its pixels on a grid, computed once."""
        if (grid, mode) not in self._known:
            self._known[grid, mode] = self.render(grid, mode)
        return self._known[grid, mode]

    def changed(self, how: Callable[[Planes], Planes]) -> "Image":
        """An image whose pixels come from this one's."""
        return Image(lambda g, _: how(self.on(g)), self.properties, self.footprint, projections=self.projections)

    def reprojected(self, projection: Projection) -> "Image":
        """An image computed on the pixels of a projection before it is brought anywhere else."""

        def render(grid: Grid, mode: Mode) -> Planes:
            own = projection.around(grid)
            planes = self.on(own)
            # Numbers between pixels are of single precision, as those of images are.
            values = np.where(planes.mask, planes.values, np.nan).astype(np.float32)
            moved = np.stack([_moved(band, own.transform, own.crs, grid, mode) for band in values])
            return Planes(planes.names, np.nan_to_num(moved), np.isfinite(moved))

        return Image(render, self.properties, self.footprint, projections=frozenset([projection]), placed=True)


@dataclass(frozen=True)
class SourceBand:
    """Where a band lies: files of one grid and size of pixel, and the band's number in them."""

    files: tuple[str, ...]
    number: int = 1


def source_image(bands: Mapping[str, SourceBand], properties: Mapping[str, Any], footprint: BaseGeometry) -> Image:
    """An image kept in files."""
    whole = joined([_band_image(name, band) for name, band in bands.items()])
    return Image(whole.render, properties, footprint, whole.parts, whole.projections, placed=True)


@cache
def _projection(file: str) -> Projection:
    import rasterio

    with rasterio.open(file) as first:
        return Projection(first.transform, str(first.crs))


def _band_image(name: str, band: SourceBand) -> Image:
    def render(grid: Grid, mode: Mode) -> Planes:
        values = _read(band, grid, mode)[np.newaxis].astype(np.float64)
        return Planes((name,), np.nan_to_num(values), np.isfinite(values))

    image = Image(render, projections=frozenset([_projection(band.files[0])]), placed=True)
    image.parts = {name: image}
    return image


def select(image: Image, wanted: Sequence[str], names: Sequence[str] | None = None) -> Image:
    """Some bands, under new names where these are given; of an image kept in files no others are read."""
    kept = joined([image.parts[name] for name in wanted]) if all(name in image.parts for name in wanted) else image

    def render(grid: Grid, mode: Mode) -> Planes:
        planes = kept.on(grid, mode)
        missing = [name for name in wanted if name not in planes.names]
        if missing:
            raise ValueError(f"Image.select: Band pattern '{missing[0]}' did not match any bands.")
        places = [planes.names.index(name) for name in wanted]
        return Planes(tuple(names or wanted), planes.values[places], planes.mask[places])

    return Image(render, image.properties, image.footprint, projections=kept.projections, placed=image.placed)


def binary(one: Image, other: Image, operation: Callable[[Numbers, Numbers], npt.NDArray[Any]]) -> Image:
    """Band by band, a single band against all; a pixel is there where it is in both."""

    def render(grid: Grid, _: Mode) -> Planes:
        left, right = one.on(grid), other.on(grid)
        values = operation(left.values, right.values).astype(np.float64)
        names = left.names if len(left.names) == len(values) else right.names
        return Planes(names, values, np.broadcast_to(left.mask & right.mask, values.shape))

    return Image(render, one.properties, one.footprint, projections=one.projections)


def constant(value: float) -> Image:
    """The same number everywhere."""

    def render(grid: Grid, _: Mode) -> Planes:
        shape = (1, grid.height, grid.width)
        return Planes(("constant",), np.full(shape, float(value)), np.ones(shape, dtype=np.bool_))

    return Image(render)


def joined(images: Sequence[Image]) -> Image:
    """All bands of several images; a band that comes again takes the place of the earlier one."""

    def render(grid: Grid, mode: Mode) -> Planes:
        bands: dict[str, tuple[Any, Any]] = {}
        for image in images:
            planes = image.on(grid, mode)
            bands |= {name: (planes.values[i], planes.mask[i]) for i, name in enumerate(planes.names)}
        return Planes(tuple(bands), np.stack([v for v, _ in bands.values()]), np.stack([m for _, m in bands.values()]))

    parts = {name: part for image in images for name, part in image.parts.items()}
    kept = parts if all(i.parts for i in images) else {}
    projections = frozenset[Projection]().union(*(i.projections for i in images))
    return Image(
        render, images[0].properties, images[0].footprint, kept, projections, placed=all(i.placed for i in images)
    )


def masked_band(name: str) -> Image:
    """A band that is nowhere."""

    def render(grid: Grid, _: Mode) -> Planes:
        shape = (1, grid.height, grid.width)
        return Planes((name,), np.zeros(shape), np.zeros(shape, dtype=np.bool_))

    image = Image(render)
    image.parts = {name: image}
    return image


def stacked(images: Sequence[Image], how: Callable[[Numbers, npt.NDArray[np.bool_]], Planes]) -> Image:
    """One image from many: `how` gets values and masks (image, band, row, column)."""

    def render(grid: Grid, mode: Mode) -> Planes:
        planes = [image.on(grid, mode) for image in images]
        found = how(np.stack([p.values for p in planes]), np.stack([p.mask for p in planes]))
        return Planes(planes[0].names, found.values, found.mask)

    return Image(render)


def _read(band: SourceBand, grid: Grid, mode: Mode) -> npt.NDArray[np.float32]:
    """A band on a grid, NaN where it is not there."""
    from rasterio.warp import transform_bounds

    own = _projection(band.files[0])
    crs, pixel = own.crs, abs(own.transform.a)
    left, bottom, right, top = transform_bounds(grid.crs, crs, *grid.bounds, densify_pts=21)
    margin = _MARGIN * max(pixel, (right - left) / grid.width)
    found = _merged(band, (left - margin, bottom - margin, right + margin, top + margin))
    if found is None:
        return np.full((grid.height, grid.width), np.nan, dtype=np.float32)
    coarser = (right - left) / grid.width / pixel >= _COARSER
    return _moved(*found, crs, grid, "average" if coarser else mode)


def _moved(
    values: npt.NDArray[Any], transform: Affine, crs: str, grid: Grid, mode: Mode | Literal["average"]
) -> npt.NDArray[Any]:
    """(row, column) values brought onto a grid, NaN where there are none."""
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    def move(some: npt.NDArray[Any], missing: float) -> npt.NDArray[Any]:
        target = np.full((grid.height, grid.width), missing, dtype=some.dtype)
        reproject(
            some,
            target,
            src_transform=transform,
            src_crs=crs,
            dst_transform=grid.transform,
            dst_crs=grid.crs,
            src_nodata=missing,
            dst_nodata=missing,
            resampling=Resampling[mode],
            tolerance=0.01,
            num_threads=1,
            XSCALE="1",
            YSCALE="1",
        )
        return target

    moved = move(values, np.nan)
    if mode == "bilinear" and NEIGHBOURS[-1] == "mask":
        lacking = move(np.isnan(values).astype(np.float32), -1.0)
        moved[(lacking > _NEXT_TO_NOTHING) | (lacking < 0)] = np.nan
    return moved


def _merged(
    band: SourceBand, bounds: tuple[float, float, float, float]
) -> tuple[npt.NDArray[np.float32], Affine] | None:
    """The part of a band's files within some bounds as one array, the first file on top."""
    import rasterio
    from rasterio.windows import Window

    pieces: list[tuple[Affine, npt.NDArray[np.float32]]] = []
    for path in band.files:
        with rasterio.open(path) as source:
            inverse = ~source.transform
            (west, north), (east, south) = inverse @ (bounds[0], bounds[3]), inverse @ (bounds[2], bounds[1])
            left, top = max(0, math.floor(west)), max(0, math.floor(north))
            right, bottom = min(source.width, math.ceil(east)), min(source.height, math.ceil(south))
            if left >= right or top >= bottom:
                continue
            window = Window(left, top, right - left, bottom - top)
            values = source.read(band.number, window=window).astype(np.float32)
            values[source.read_masks(band.number, window=window) == 0] = np.nan
            if source.colorinterp[-1].name == "alpha":
                values[source.read(source.count, window=window) == 0] = np.nan
            pieces.append((source.window_transform(window), values))
    if not pieces:
        return None
    first = pieces[0][0]
    places = [(round(c), round(r)) for c, r in ((~first) @ (t.c, t.f) for t, _ in pieces)]
    west, north = min(c for c, _ in places), min(r for _, r in places)
    east = max(c + v.shape[1] for (c, _), (_, v) in zip(places, pieces, strict=True))
    south = max(r + v.shape[0] for (_, r), (_, v) in zip(places, pieces, strict=True))
    merged = np.full((south - north, east - west), np.nan, dtype=np.float32)
    for (column, row), (_, values) in zip(places, pieces, strict=True):
        part = merged[row - north : row - north + values.shape[0], column - west : column - west + values.shape[1]]
        part[...] = np.where(np.isnan(part), values, part)
    return merged, first @ Affine.translation(west, north)
