"""Grids in parts that fit the service's limits."""

from collections.abc import Iterator

from odc.geo.geobox import GeoBox

LONGEST_SIDE = 32_768
"""Pixels along a side of one request (Earth Engine quotas)."""


def parts(grid: GeoBox, pixel_bytes: int, most_bytes: int) -> Iterator[GeoBox]:
    """A grid in parts of at most `most_bytes`, each as many whole rows as fit.

    Rows are divided only where a single one is too long.
    """
    height, width = (int(n) for n in grid.shape)
    columns = min(width, LONGEST_SIDE, max(1, most_bytes // pixel_bytes))
    rows = min(height, LONGEST_SIDE, max(1, most_bytes // (pixel_bytes * columns)))
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield grid[top : min(height, top + rows), left : min(width, left + columns)]


def halves(grid: GeoBox) -> tuple[GeoBox, GeoBox]:
    """A grid in two, across its longer side. Raises `ValueError` for a single pixel."""
    height, width = (int(n) for n in grid.shape)
    if height * width < 2:
        raise ValueError("a grid of one pixel cannot be divided")
    if height >= width:
        return grid[: height // 2, :], grid[height // 2 :, :]
    return grid[:, : width // 2], grid[:, width // 2 :]
