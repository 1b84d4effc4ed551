"""The settings that a project needs for where its images come from: one answer for each way to begin.

Values go by dotted names, as `project/settings_changes.py` takes them.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import geopandas as gpd

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import geodesic_area_km2
from minemap_assets.imagery.basemaps.nicfi import PRODUCT as NICFI
from minemap_assets.imagery.config import DEFAULT_BANDS, ImageryConfig
from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.not_observed import most_unobserved
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.earth_engine.config import NAME as EARTH_ENGINE
from minemap_assets.imagery.sources.planet.config import NAME as PLANET
from minemap_assets.imagery.sources.stac.config import NAME as STAC
from minemap_assets.imagery.sources.stac.config import PRODUCT as SENTINEL2
from minemap_assets.planning.expected_sites import labelled_groups
from minemap_assets.planning.image_facts import bands_of, periods_of, years_of, years_text
from minemap_assets.sites.config import RESOLUTION

MODEL_BANDS = ("blue", "green", "red", "nir")
"""What a model reads unless it is told otherwise: the bands that every product has."""

STAC_SINCE = 2017
"""The first year with images from both satellites; there are few of 2015 and 2016."""

EARTH_ENGINE_SINCE = 2019
"""The first year in which Earth Engine's surface reflectance is worldwide ("2017-2018 L2 coverage is not yet global",
its catalogue)."""

LAST_BASEMAP_YEAR = 2024
"""The last whole year of Planet's NICFI basemaps."""

TEST_PLACES = 3
"""Places with mines that have to be held out for a model to be judged."""

LARGER_SHARES = (0.2, 0.25, 0.3, 0.4)

SAFETY = 0.8
"""An image shows less than its footprint: borders and clouds are left out."""

GIGABYTES = 20
"""What one run may fetch before a person has thought about it."""

WIDE = 768
"""Pixels of the site grid that windows and chips have a side where nothing is finer than 10 m: 3.84 km. On real
Sentinel-2 images that is worth more than anything else (`benchmarks/real_pixels.py --chip 512`), and such images are
small."""

COARSE = 10.0
"""Metres a pixel from which a product is such an image."""

QUICK: Mapping[str, object] = {
    "sites.window_factor": 1.25,
    "segmentation.recipe": "small",
    "segmentation.widths": [8, 16, 32, 64],
    "segmentation.detail": 4,
    "segmentation.folds": 2,
    "segmentation.steps": 80,
    "segmentation.crop": 256,
    "segmentation.batch_size": 4,
    "segmentation.normalisation_chips": 32,
}
"""A small model that is trained in a minute, on small windows around mines."""


@dataclass(frozen=True)
class SourceSettings:
    """Settings by dotted name, and what they mean in sentences."""

    values: Mapping[str, object]
    said: tuple[str, ...]

    def section(self, name: str) -> dict[str, object]:
        """The settings of one section, by their names in it."""
        return {key.removeprefix(f"{name}."): v for key, v in self.values.items() if key.startswith(f"{name}.")}

    @property
    def products(self) -> frozenset[str]:
        """All products that are mapped or learned from."""
        rule = cast(list[dict[str, str]], self.values["imagery.products"])
        return frozenset(one["product"] for one in rule)

    def __add__(self, other: "SourceSettings | None") -> "SourceSettings":
        return self if other is None else SourceSettings({**self.values, **other.values}, (*self.said, *other.said))


def open_sentinel2() -> SourceSettings:
    """Sentinel-2 in all years from open catalogues."""
    return SourceSettings(
        _one_product(STAC, STAC_SINCE),
        (f"Sentinel-2 from open catalogues in every year from {STAC_SINCE}; no account is needed.", _budget_said()),
    )


def earth_engine(account: str | None) -> SourceSettings:
    """Sentinel-2 in all years through Earth Engine, charged to a cloud project."""
    charged = {} if account is None else {"sources.earth_engine.project": account}
    return SourceSettings(
        _one_product(EARTH_ENGINE, EARTH_ENGINE_SINCE) | charged,
        (
            f"Sentinel-2 through Earth Engine in every year from {EARTH_ENGINE_SINCE}: its surface reflectance is not "
            "worldwide before.",
            *(
                []
                if account
                else ["Earth Engine charges the cloud project of GOOGLE_CLOUD_PROJECT or of your credentials."]
            ),
            _budget_said(),
        ),
    )


def wide(products: Collection[str], images: Sequence[Image] = ()) -> SourceSettings | None:
    """Wider windows and chips, for a model that sees more of the surroundings; None where a product is finer than
    `COARSE`, or where most of a person's own images do not show so much.
    """
    kilometres = WIDE * RESOLUTION / 1000
    areas = sorted(geodesic_area_km2(image.geometry) for image in images)
    if any(known_product(name).resolution < COARSE for name in products):
        return None
    if areas and areas[len(areas) // 2] < kilometres**2:
        return None
    said = f"Windows are at least {kilometres:g} km wide (`min_pixels`), and the model sees as much at a time (`size`)."
    return SourceSettings({"sites.min_pixels": WIDE, "chips.size": WIDE}, (said,))


def basemaps() -> SourceSettings:
    """Planet's NICFI basemaps as long as there were any, then Sentinel-2 from open catalogues."""
    rule = [{"product": NICFI, "until": LAST_BASEMAP_YEAR}, {"product": SENTINEL2, "from": LAST_BASEMAP_YEAR + 1}]
    return SourceSettings(
        {
            "imagery.products": rule,
            "imagery.reference_products": [NICFI, SENTINEL2],
            f"imagery.sources.{NICFI}": [PLANET],
            f"imagery.sources.{SENTINEL2}": [STAC],
            f"imagery.bands.{SENTINEL2}": list(MODEL_BANDS),
            "imagery.budget.gigabytes": GIGABYTES,
        },
        (
            f"Planet's NICFI basemaps until {LAST_BASEMAP_YEAR}, Sentinel-2 from open catalogues from "
            f"{LAST_BASEMAP_YEAR + 1} on.",
            "The programme gave access until January 2025 and has ended: an account that had none by then sees no "
            "NICFI basemap, and begins with `--source stac` instead.",
            "An account that has access is found through PL_API_KEY or `planet auth login`; whoever subscribes to "
            "Planet's basemaps names their series (`series` under [sources.planet_basemaps]).",
            _budget_said(),
        ),
    )


def own_images(images: Sequence[Image], season: SeasonRule, reference_year: int | None = None) -> SourceSettings:
    """What images in folders need: the years and bands that they have, and nothing else.

    `reference_year` is the one that the labels describe; without it the year with most images, of several the last.
    Raises `BadInputError` where no image belongs to a season, the images share no band, or none is of that year.
    """
    held = _by_product_and_year(images, season)
    bands = {product: bands_of(product, images) for product in dict.fromkeys(product for product, _ in held)}
    model = [b for b in MODEL_BANDS if all(b in has for has in bands.values())]
    model = model or [b for b in next(iter(bands.values())) if all(b in has for has in bands.values())]
    if not model:
        raise BadInputError(
            f"the images of {' and '.join(bands)} have no band in common, so one model cannot read both; index one of "
            "them only"
        )
    year = _reference_year(held, reference_year)
    rule = [period for p in bands for period in periods_of(p, [y for q, y in held if q == p])]
    values: dict[str, object] = {
        "first_year": min(y for _, y in held),
        "last_year": max(y for _, y in held),
        "imagery.products": rule,
        "imagery.reference_year": year,
        "imagery.reference_products": [p for p in bands if (p, year) in held],
        "chips.bands": model,
    }
    for product, has in bands.items():
        values[f"imagery.sources.{product}"] = ["archive"]
        values[f"imagery.bands.{product}"] = [b for b in has if b in (*DEFAULT_BANDS[product], *model)]
    said = (
        f"{', '.join(f'{p} {years_text([y for q, y in held if q == p])}' for p in bands)} from your own images; the "
        f"model reads {', '.join(model)}.",
        f"Labels are taken to describe {year}; --reference-year says otherwise.",
    )
    return SourceSettings(values, said)


def seen_enough(shares: Sequence[float]) -> SourceSettings | None:
    """The least share of a site's window that has to be seen, where windows reach beyond the images by more than the
    default allows; None where none does. `shares` are those of the windows that images cover, 0 to 1.
    """
    usual = ImageryConfig().min_clear_fraction
    within = [share for share in shares if share > 0]
    lowest = min(within, default=1.0)
    if lowest * SAFETY >= usual:
        return None
    value = round(math.floor(lowest * SAFETY * 20) / 20, 2)
    beyond = sum(share * SAFETY < usual for share in within)
    return SourceSettings(
        {"imagery.min_clear_fraction": value},
        (
            f"The windows of {beyond} of {len(shares)} sites reach far beyond your images: a site counts where at "
            f"least {value:.0%} of its window was seen, {usual:.0%} by default (`min_clear_fraction`).",
        ),
    )


def few_enough(shares: Sequence[float]) -> SourceSettings | None:
    """The share of sites that may go unobserved, where images leave out more than the default allows; None where they
    do not, or show no site at all. `shares` are those of the windows that images cover, 0 to 1.
    """
    outside, usual = sum(share == 0 for share in shares), ImageryConfig().max_unobserved_share
    if outside == len(shares) or outside <= most_unobserved(len(shares), usual):
        return None
    value = math.ceil(outside / len(shares) * 20) / 20
    return SourceSettings(
        {"imagery.max_unobserved_share": min(value, 0.99)},
        (
            f"Your images show nothing of {outside} of {len(shares)} sites, which will be listed as not observed: up "
            f"to {value:.0%} of them may be, {usual:.0%} by default (`max_unobserved_share`).",
        ),
    )


def held_out_enough(sites: gpd.GeoDataFrame, usual: ChipsConfig) -> SourceSettings | None:
    """A larger share of the known mines for the test, where the usual one is too small to judge a model by and a larger
    one is not; None where the usual one does, or where there are too few places at all.

    `sites` is the table of `expected_sites`, and `usual` how they would be cut and dealt out.
    """
    if labelled_groups([sites], usual)["test"] >= TEST_PLACES:
        return None
    for share in LARGER_SHARES:
        held = labelled_groups([sites], usual.model_copy(update={"test_share": share}))
        if held["test"] >= TEST_PLACES and held["train"] >= held["test"] and held["validation"]:
            said = (
                f"About {held['test']} of {held.total()} places with known mines are held out to judge the model by: "
                f"{share:.0%} of them instead of {usual.test_share:.0%}, which would be too few (`test_share`)."
            )
            return SourceSettings({"chips.test_share": share}, (said,))
    return None


def _one_product(source: str, since: int) -> dict[str, object]:
    return {
        "first_year": since,
        "imagery.products": [{"product": SENTINEL2}],
        "imagery.reference_products": [SENTINEL2],
        f"imagery.sources.{SENTINEL2}": [source],
        f"imagery.bands.{SENTINEL2}": list(MODEL_BANDS),
        "imagery.budget.gigabytes": GIGABYTES,
    }


def _budget_said() -> str:
    return (
        f"A run that would fetch more than {GIGABYTES} GB fetches nothing and says so (`gigabytes` under "
        "[imagery.budget] of the settings)."
    )


def _by_product_and_year(images: Sequence[Image], season: SeasonRule) -> Counter[tuple[str, int]]:
    """How many images each product has for the season of each year, products in their usual order."""
    found: Counter[tuple[str, int]] = Counter()
    for product in PRODUCTS:
        for image in (one for one in images if one.product == product):
            found.update((product, year) for year in years_of(image, season))
    if not found:
        first, last = min(i.start for i in images), max(i.end for i in images)
        raise BadInputError(
            f"no image lies in the season of months {season.first_month} to {season.last_month}: they are of "
            f"{first}{'' if first == last else f' to {last}'}; give their months with --season, such as "
            f"--season {first.month}-{last.month}"
        )
    return found


def _reference_year(held: Mapping[tuple[str, int], int], wanted: int | None) -> int:
    counts: Counter[int] = Counter()
    for (_, year), count in held.items():
        counts[year] += count
    if wanted is None:
        return max(counts, key=lambda year: (counts[year], year))
    if wanted not in counts:
        raise BadInputError(
            f"--reference-year: no image is of {wanted}, so nothing could be learned from it; there are images of "
            f"{years_text(list(counts))}"
        )
    return wanted
