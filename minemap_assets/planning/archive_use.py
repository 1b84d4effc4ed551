"""What has to stand in the settings for images in archives to serve: product and year by year, for maps and training.

Every other period, source and product stays what it is. Values go by dotted names, as `project/settings_changes.py`
takes them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.config import ImageryConfig, ProductPeriod
from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.rules import TrainingConfig, product_of, season_rule
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.archive.indexed_images import NAME as ARCHIVE
from minemap_assets.planning.image_facts import bands_of, periods_of, years_of, years_text
from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region
from minemap_assets.project.settings import LATEST_YEAR

ANYWHERE = ""
"""In the place of a region's slug while a project has none."""


@dataclass(frozen=True)
class ArchiveUse:
    """What images come to: the settings that are lacking for them, by dotted names (empty where nothing is), the
    `years` and `regions` whose maps they make, sources that are asked before the archives, and in sentences what keeps
    some of them from use.
    """

    values: Mapping[str, object]
    years: tuple[int, ...]
    regions: tuple[str, ...]
    before: tuple[str, ...]
    notes: tuple[str, ...]


class _Held:
    """Which years each region has images of, by product: those of the season, where an image touches the region."""

    def __init__(self, project: Project, images: Sequence[Image]) -> None:
        self.seasons: dict[str, SeasonRule] = {ANYWHERE: SeasonRule()}
        self.images: dict[tuple[str, str], list[Image]] = {}
        outlines = np.array([image.geometry for image in images], dtype=object)
        regions = project.active_regions()
        places: dict[str, Iterable[Image]] = {} if regions else {ANYWHERE: images}
        for slug, region in regions.items():
            self.seasons[slug] = season_rule(region)
            here = np.flatnonzero(shapely.intersects(outlines, region.geometry))
            places[slug] = [images[place] for place in here.tolist()]
        self._years: dict[tuple[str, str], set[int]] = {}
        for slug, found in places.items():
            for image in found:
                self.images.setdefault((image.product, slug), []).append(image)
                self._years.setdefault((image.product, slug), set()).update(years_of(image, self.seasons[slug]))

    def years(self, product: str, slug: str) -> set[int]:
        """Years in whose season a region has an image of a product."""
        return self._years.get((product, slug), set())

    @property
    def places(self) -> list[str]:
        """Regions that any image touches, sorted."""
        return sorted({slug for _, slug in self.images})

    def every_year(self, product: str) -> set[int]:
        """Years in which any region has an image of a product."""
        return {year for slug in self.places for year in self.years(product, slug)}


def archive_use(project: Project, new: Sequence[Image], every: Sequence[Image]) -> ArchiveUse:
    """What `new` images, of all that the project's archives hold (`every`), need to be read and to train a model.

    The images of a project without regions count wherever they lie, in the usual season.
    """
    config = project.section(ImageryConfig)
    held = _Held(project, new)
    maps = _maps(project, held)
    mapped, notes = maps.years, [*maps.notes, *_outside(project, new, held)]
    if not mapped:
        return ArchiveUse({}, (), (), (), tuple(notes))
    values: dict[str, object] = {}
    years = sorted(set().union(*mapped.values()))
    if years[0] < project.first_year:
        values["first_year"] = years[0]
    if project.last_year is not None and years[-1] > project.last_year:
        values["last_year"] = years[-1]
    rule = _rule(config, maps.by_rule)
    if rule is not None:
        values["imagery.products"] = rule
    before: list[str] = []
    for product in (p for p in PRODUCTS if held.every_year(p)):
        sources = config.sources.get(product, ())
        if ARCHIVE not in sources:
            values[f"imagery.sources.{product}"] = [ARCHIVE, *sources]
        elif product in mapped:
            before += [name for name in sources[: sources.index(ARCHIVE)] if name not in before]
    values |= _bands(project, mapped, every)
    products = [period.product for period in config.products] if rule is None else [str(p["product"]) for p in rule]
    learned, untaught = _training(project, mapped, _Held(project, every), frozenset(products))
    values |= learned
    notes += untaught
    regions = tuple(slug for slug in held.places if any(held.years(p, slug) & mapped[p] for p in mapped))
    return ArchiveUse(values, tuple(years), tuple(r for r in regions if r), tuple(before), tuple(notes))


@dataclass(frozen=True)
class _Maps:
    """The years that each product of the images is to serve: `by_rule` the project's, and `own` where regions have one
    of their own that says so. `notes` say what is not served.
    """

    by_rule: Mapping[str, set[int]]
    own: Mapping[str, set[int]]
    notes: tuple[str, ...]

    @property
    def years(self) -> dict[str, set[int]]:
        """Both together, products in their usual order."""
        both = {p: self.by_rule.get(p, set()) | self.own.get(p, set()) for p in PRODUCTS}
        return {product: years for product, years in both.items() if years}


def _maps(project: Project, held: _Held) -> _Maps:
    """A year that images of several products have goes to the one that serves it already, else to the first of them."""
    config = project.section(ImageryConfig)
    free, own, notes = _by_rule(project, held)
    by_rule: dict[str, set[int]] = {}
    lost: dict[tuple[str, str], list[int]] = {}
    for year in sorted(set().union(*free.values())):
        there = [product for product in PRODUCTS if year in free[product]]
        now = _product_now(config, year)
        chosen = now if now is not None and now in there else there[0]
        by_rule.setdefault(chosen, set()).add(year)
        for other in there:
            if other != chosen:
                lost.setdefault((other, chosen), []).append(year)
    notes += [
        f"the images of {other} of {years_text(years)} are for comparison only: a year has one product, and "
        f"{chosen} has images of {'it' if len(years) == 1 else 'them'} too"
        for (other, chosen), years in lost.items()
    ]
    return _Maps(by_rule, own, tuple(notes))


def _by_rule(project: Project, held: _Held) -> tuple[dict[str, set[int]], dict[str, set[int]], list[str]]:
    """Years of the images by product where the project's rule decides; where a region's own decides for them; and in
    sentences where that decides against them, which no setting changes.
    """
    free: dict[str, set[int]] = {product: set() for product in PRODUCTS}
    own: dict[str, set[int]] = {product: set() for product in PRODUCTS}
    notes = []
    for product in PRODUCTS:
        for slug in held.places:
            years, region = held.years(product, slug), project.regions.get(slug)
            decided = {y for y in years if region is not None and _has_own_rule(region, y)}
            free[product] |= years - decided
            served = {y for y in decided if region is not None and product_of(project, region, y) == product}
            own[product] |= served
            if decided - served:
                notes.append(
                    f"region {slug} has a rule of its own, by which {years_text(sorted(decided - served))} is not made "
                    f"from {product}; `minemap regions add {slug} FILE --replace --product ...` changes it"
                )
    return free, own, notes


def _product_now(config: ImageryConfig, year: int) -> str | None:
    try:
        return config.product_for(year)
    except BadInputError:
        return None


def _has_own_rule(region: Region, year: int) -> bool:
    return any(ProductPeriod.model_validate(dict(period)).covers(year) for period in region.products)


def _outside(project: Project, new: Sequence[Image], held: _Held) -> list[str]:
    """Images that no map can be made of: of other months than the season's, or of no region."""
    touching = {id(image) for images in held.images.values() for image in images}
    inside = {
        id(image)
        for (_, slug), images in held.images.items()
        for image in images
        if years_of(image, held.seasons[slug])
    }
    notes = []
    away, late = [i for i in new if id(i) not in touching], [i for i in new if id(i) in touching - inside]
    if away:
        notes.append(
            f"{len(away):,} of {len(new):,} images lie in no region ({', '.join(project.active_regions())}), such as "
            f"{away[0].id}; `minemap regions add SLUG FILE` adds the ground that they show"
        )
    if late:
        months = {(held.seasons[slug].first_month, held.seasons[slug].last_month) for slug in held.places}
        seasons = " or ".join(f"{first}-{last}" for first, last in sorted(months))
        notes.append(
            f"{len(late):,} of {len(new):,} images are of no season (months {seasons}), such as {late[0].id} of "
            f"{late[0].start}; give a region other months with `minemap regions add SLUG FILE --season "
            f"{late[0].start.month}-{late[0].end.month}`"
        )
    return notes


def _rule(config: ImageryConfig, mapped: Mapping[str, set[int]]) -> list[dict[str, object]] | None:
    """The product rule with the images' years in front and every other period kept; None where it says so already."""
    lacking = {p: {y for y in years if _product_now(config, y) != p} for p, years in mapped.items()}
    if not any(lacking.values()):
        return None
    kept, periods = list(config.products), []
    for product in (p for p in mapped if lacking[p]):
        years = set(lacking[product])
        for period in [one for one in kept if one.product == product and None not in (one.first, one.until)]:
            assert period.first is not None
            assert period.until is not None
            covered = range(period.first, min(period.until, LATEST_YEAR) + 1)
            years |= {year for year in covered if _product_now(config, year) == product}
            kept.remove(period)
        periods += periods_of(product, years)
    return periods + [p.model_dump(mode="json", by_alias=True, exclude_none=True) for p in kept]


def _bands(project: Project, mapped: Iterable[str], every: Sequence[Image]) -> dict[str, object]:
    """The bands to store and to read, where the images lack some that are asked for."""
    config, values = project.section(ImageryConfig), dict[str, object]()
    learned = project.section(TrainingConfig).products or config.reference_products
    held = {image.product for image in every}
    stored: dict[str, tuple[str, ...]] = {}
    for product in dict.fromkeys((*mapped, *(p for p in learned if p in held))):
        asked, has = config.bands_for(product), bands_of(product, every)
        stored[product] = tuple(b for b in asked if b in has) or has
        if stored[product] != asked:
            values[f"imagery.bands.{product}"] = list(stored[product])
    read = project.section(ChipsConfig).bands
    shared = tuple(b for b in read if all(b in bands for bands in stored.values()))
    shared = shared or tuple(b for b in next(iter(stored.values())) if all(b in bands for bands in stored.values()))
    if shared and shared != read:
        values["chips.bands"] = list(shared)
    return values


@dataclass(frozen=True)
class _Choice:
    """A year to train on, and the products and regions that have images of it."""

    year: int
    products: tuple[str, ...]
    regions: tuple[str, ...]


def _training(
    project: Project, mapped: Mapping[str, set[int]], held: _Held, ruled: frozenset[str]
) -> tuple[dict[str, object], list[str]]:
    """Where the model learns what the archives' images show, and in sentences what it cannot learn.

    It has to be trained on every product that it maps, so the year is one of which most products and regions have
    images; of several the nearest to what is set. `ruled` are the products of the rule, which are learned where the
    settings do not say otherwise.
    """
    config, training, known = project.section(ImageryConfig), project.section(TrainingConfig), project.active_regions()
    said = training.products or ("reference_products" in config.model_fields_set and config.reference_products) or ()
    regions = [slug for slug in training.regions or known if slug in known] or [ANYWHERE]
    wanted = [p for p in PRODUCTS if p in mapped or any(_product_now(config, y) == p for y in held.every_year(p))]

    def serves(product: str, slug: str, year: int) -> bool:
        others = set(config.sources.get(product, ())) - {ARCHIVE}
        own = known[slug].reference_year if slug in known else None
        return bool(others) or (own or year) in held.years(product, slug)

    def choice(year: int) -> _Choice:
        able = tuple(p for p in wanted if any(serves(p, slug, year) for slug in regions))
        where = tuple(slug for slug in regions if all(serves(p, slug, year) for p in able)) if able else ()
        return _Choice(year, able if where else (), where)

    start = config.reference_year
    years = sorted(set().union(*(held.every_year(p) for p in wanted)), key=lambda year: (abs(year - start), year))
    best = max((choice(year) for year in (start, *years)), key=lambda one: (len(one.products), len(one.regions)))
    untaught = [
        f"no model can learn {product}, because the year to learn from, {best.year}, has no images of it where "
        f"{' and '.join(best.products) or 'other products'} has them; index images of it of that year too"
        for product in wanted
        if product in mapped and product not in best.products
    ]
    values: dict[str, object] = {}
    if not best.products:
        return values, untaught
    if best.year != start:
        values["imagery.reference_year"] = best.year
    now = said or [p for p in PRODUCTS if p in ruled and held.every_year(p)]
    kept = [p for p in now if p in best.products or all(serves(p, slug, best.year) for slug in best.regions)]
    products = (*kept, *(p for p in best.products if p not in kept))
    if set(products) != set(said or ruled):
        values["training.products" if training.products else "imagery.reference_products"] = list(products)
    if len(best.regions) != len(regions):
        values["training.regions"] = list(best.regions)
    return values, untaught
