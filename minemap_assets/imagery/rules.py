"""Which season and product serve a region and year, and what enters training: the settings as answers."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import field_validator

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.config import ImageryConfig, ProductPeriod
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.messages import suggestion
from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region
from minemap_assets.project.settings import SETTINGS_PATH, StrictModel


class TrainingConfig(StrictModel):
    """What enters training.

    An empty list of `regions` means every active region. An empty list of `products` means the reference products.
    """

    regions: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    @field_validator("products")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in PRODUCTS]
        if unknown:
            raise ValueError(f"unknown product {unknown[0]!r}; the products are {', '.join(PRODUCTS)}")
        return value


def season_rule(region: Region) -> SeasonRule:
    """The months of the region's season."""
    if region.season is None:
        return SeasonRule()
    first, last = region.season
    return SeasonRule(first_month=first, last_month=last)


def season_of(region: Region, year: int) -> Season:
    """The region's season of a year."""
    return season_rule(region).season(year)


def product_of(project: Project, region: Region, year: int) -> str:
    """The product that serves a region and year. Raises `BadInputError` where none is set."""
    periods = tuple(ProductPeriod.model_validate(dict(p)) for p in region.products)
    return project.section(ImageryConfig).product_for(year, periods)


@dataclass(frozen=True)
class Made:
    """Imagery of a region and year as the lake has it: of which product, and by which sources."""

    product: str
    sources: frozenset[str]


def check_defaults(project: Project, region: Region, product: str, held: Iterable[Made]) -> None:
    """Raises `BadInputError` where a region's imagery was made from other products, or by other sources, and the
    settings do not say that this is to change: a default of another version changes no series.
    """
    config, others, sources = project.section(ImageryConfig), set[str](), set[str]()
    for made in held:
        if made.product == product:
            sources |= made.sources
        else:
            others.add(made.product)
    if others and not region.products and "products" not in config.model_fields_set:
        raise BadInputError(
            f"{SETTINGS_PATH} sets no products, whose default is {product}, but imagery of {region.slug} was made from "
            f"{' and '.join(sorted(others))}; write under [imagery] which product each year is to have"
        )
    now = config.sources.get(product, ())
    gone = sorted(sources - set(now))
    if gone and product not in _sources_said(project):
        raise BadInputError(
            f"{SETTINGS_PATH} names no source of {product}, whose default is {' and '.join(now)}, but imagery of "
            f"{region.slug} was made by {' and '.join(gone)}; write under [imagery.sources] which are to be asked"
        )


def _sources_said(project: Project) -> Mapping[str, object]:
    """Sources by product as the settings name them, without defaults."""
    data = project.input(SETTINGS_PATH)
    said = {} if data is None else tomllib.loads(data.decode("utf-8-sig"))
    return dict(said.get("imagery", {}).get("sources", {}))


def reference_year_of(project: Project, region: Region) -> int:
    """The year whose labels train the model."""
    return region.reference_year or project.section(ImageryConfig).reference_year


def training_regions(project: Project) -> Sequence[str]:
    """Regions whose labels enter training. Raises `BadInputError` where the settings name one that is not there."""
    chosen = project.section(TrainingConfig).regions
    regions = project.regions
    for slug in chosen:
        if slug not in regions:
            known = ", ".join(regions) or "none yet"
            raise BadInputError(
                f"{SETTINGS_PATH}: training.regions names {slug!r}, which is no region"
                f"{suggestion(slug, regions)}; the regions are {known}"
            )
        if regions[slug].retired:
            raise BadInputError(
                f"{SETTINGS_PATH}: training.regions names {slug!r}, which is retired; take it out, or bring it "
                f"back with `minemap regions restore {slug}`"
            )
    return sorted(chosen) or list(project.active_regions())


def training_products(project: Project) -> Sequence[str]:
    """Products whose pixels enter training, sorted."""
    products = project.section(TrainingConfig).products or project.section(ImageryConfig).reference_products
    return sorted(set(products))
