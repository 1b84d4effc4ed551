"""How much of the ground a zoom shows: what is drawn as an outline, with how many corners, and what as a dot."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Detail:
    """In units of a tile, eight to a pixel of the map: how far outlines may be simplified, the area from which
    something is drawn as an outline, and the side of the cells in which dots are merged.
    """

    tolerance: float
    smallest: float
    cell: int

    def coarser(self) -> "Detail":
        """The next detail for a tile that would be too large."""
        return Detail(self.tolerance * 2.0, max(self.smallest, _LEAST) * 4.0, self.cell * 2)


_LEAST = 256.0

OVERVIEW = Detail(4.0, 1024.0, 32)
"""Half a pixel; an area of sixteen pixels; four pixels."""

CLOSEST = Detail(1.0, 0.0, 32)
"""The last zoom, which maps enlarge: everything is drawn with its outline."""


def detail_of(zoom: int, max_zoom: int) -> Detail:
    """What a zoom shows where its tiles are not too large."""
    return CLOSEST if zoom == max_zoom else OVERVIEW
