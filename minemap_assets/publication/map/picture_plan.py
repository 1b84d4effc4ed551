"""How many pixels, years and sites the pictures of a map have, so that its folder keeps to its size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEAST_PIXELS = 128
"""A site's picture with fewer shows nothing that a person could judge by; then there are fewer years."""

LEAST_YEARS = 2
"""Before and after."""

MARGIN = 1.1
"""Pictures that were not measured may be larger than those that were."""

_STEPS = (1.0, 0.75, 0.5, 0.375, 0.25)


@dataclass(frozen=True)
class PicturePlan:
    """Pixels on the longer side of a picture, the years that have some, and how many sites, the largest first."""

    pixels: int
    years: tuple[int, ...]
    sites: int

    def reduced(self, pixels: int, years: Sequence[int], sites: int) -> str:
        """What was left out to keep to the size, in a sentence; empty where nothing was."""
        said = []
        if self.pixels < pixels:
            said.append(f"pictures have {self.pixels} pixels on a side instead of {pixels}")
        if len(self.years) < len(years):
            said.append(f"only {len(self.years)} of {len(years)} years have pictures")
        if self.sites < sites:
            said.append(f"only the {self.sites} largest of {sites} sites have pictures")
        return f"To keep the folder small, {' and '.join(said)}." if said else ""


def sizes(pixels: int) -> tuple[int, ...]:
    """Numbers of pixels to choose among, the wished first, none below `LEAST_PIXELS` but the wished itself."""
    smaller = {round(pixels * step) for step in _STEPS} | {LEAST_PIXELS}
    return (pixels, *sorted((one for one in smaller if LEAST_PIXELS <= one < pixels), reverse=True))


def plan_pictures(mean_bytes: Mapping[int, float], years: Sequence[int], sites: int, budget: float) -> PicturePlan:
    """The best that fits into `budget` bytes: `mean_bytes` says what a picture takes by its pixels.

    First pixels go, then years between the first and the last, then sites.
    """

    def fits(pixels: int, number: int, many: int) -> bool:
        return MARGIN * mean_bytes[pixels] * number * many <= budget

    for pixels in sorted(mean_bytes, reverse=True):
        if fits(pixels, len(years), sites):
            return PicturePlan(pixels, tuple(years), sites)
    smallest = min(mean_bytes)
    for number in range(len(years) - 1, LEAST_YEARS - 1, -1):
        if fits(smallest, number, sites):
            return PicturePlan(smallest, spread(years, number), sites)
    least = spread(years, min(LEAST_YEARS, len(years)))
    each = MARGIN * mean_bytes[smallest] * max(1, len(least))
    return PicturePlan(smallest, least, min(sites, int(max(budget, 0.0) // each)))


def spread(years: Sequence[int], number: int) -> tuple[int, ...]:
    """So many of the years, evenly spread, with the first and the last."""
    if number >= len(years):
        return tuple(years)
    places = [round(place * (len(years) - 1) / max(1, number - 1)) for place in range(number)]
    return tuple(years[place] for place in places)
