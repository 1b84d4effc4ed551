"""What images come to, whoever makes settings of them: the years and bands that they have, and product periods."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import MINYEAR

from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.project.settings import LATEST_YEAR


def years_of(image: Image, season: SeasonRule) -> list[int]:
    """The years in whose season an image lies; the one that it states, where it states one."""
    if image.year is not None:
        return [image.year]
    # a season may have begun in the year before; the last years that a date can have are in no season
    years = range(max(image.start.year - 1, MINYEAR), min(image.end.year, LATEST_YEAR) + 1)
    return [year for year in years if image.within(season.season(year))]


def bands_of(product: str, images: Iterable[Image]) -> tuple[str, ...]:
    """Bands that every image of a product has, or those of most of them, in the product's order."""
    sets = Counter(frozenset(image.bands) for image in images if image.product == product)
    has = frozenset.intersection(*sets) or sets.most_common(1)[0][0]
    return tuple(band for band in PRODUCTS[product].bands if band in has)


def periods_of(product: str, years: Iterable[int]) -> list[dict[str, object]]:
    """A period of the product rule for each run of years."""
    return [{"product": product, "from": run[0], "until": run[-1]} for run in _runs(years)]


def years_text(years: Iterable[int]) -> str:
    """Years as `--years` takes them: `2016-2018,2020`."""
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in _runs(years))


def _runs(years: Iterable[int]) -> Sequence[Sequence[int]]:
    """Years that follow each other, together."""
    runs: list[list[int]] = []
    for year in sorted(set(years)):
        if runs and runs[-1][-1] == year - 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return runs
