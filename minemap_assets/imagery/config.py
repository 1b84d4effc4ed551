"""Settings of the imagery room: which product serves a year, and which sources may serve a product."""

from pydantic import Field, ValidationInfo, field_validator, model_validator

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.products import PRODUCTS, product
from minemap_assets.project.settings import EARLIEST_YEAR, LATEST_YEAR, StrictModel


class ProductPeriod(StrictModel):
    """The years from `from` to `until`, both included, are served by `product`; an end that is not set is open."""

    product: str
    first: int | None = Field(None, alias="from", ge=1, le=9999)
    until: int | None = Field(None, ge=1, le=9999)

    @model_validator(mode="after")
    def _in_order(self) -> "ProductPeriod":
        if self.first is not None and self.until is not None and self.first > self.until:
            raise ValueError(f"{self.product} from {self.first} until {self.until} holds no year; swap the years")
        return self

    def covers(self, year: int) -> bool:
        """True where the period holds that year."""
        return (self.first is None or year >= self.first) and (self.until is None or year <= self.until)


DEFAULT_PRODUCT = "sentinel-2-l2a"
"""What a project sees that says nothing of products: open to everybody in every year. Planet's NICFI basemaps ended in
spring 2025, and nobody is given access to them any more.
"""

DEFAULT_SOURCES: dict[str, tuple[str, ...]] = {
    name: ("stac",) if name == DEFAULT_PRODUCT else ("archive",) for name in PRODUCTS
}

_SENTINEL2 = ("blue", "green", "red", "nir", "swir16", "swir22")

DEFAULT_BANDS: dict[str, tuple[str, ...]] = {
    "planet-nicfi": ("blue", "green", "red", "nir"),
    "sentinel-2-l2a": _SENTINEL2,
    "sentinel-2-l1c": _SENTINEL2,
}


class BudgetConfig(StrictModel):
    """The most that one run may ask of imagery sources; what is not set has no limit. All runs that one command, one
    backfill or one tick of a sensor starts count together, on whatever machine.

    A run whose estimate (`minemap plan`) is above a limit does not fetch anything, and one that turns out to need more
    than was estimated stops there and keeps what is done (compute units are only estimated). What a service is asked
    before anything is fetched, whether a season holds something new, does not count. `requests` counts requests to
    services, `gigabytes` what they send. `planet_downloads` counts quads, `eecu_hours` Earth Engine's compute units.
    """

    requests: int | None = Field(None, ge=0, le=10**12)
    gigabytes: float | None = Field(None, ge=0.0, le=1e9)
    planet_downloads: int | None = Field(None, ge=0, le=10**12)
    eecu_hours: float | None = Field(None, ge=0.0, le=1e9)

    @property
    def limits_anything(self) -> bool:
        """True where any limit is set."""
        return any(value is not None for _, value in self)


class ImageryConfig(StrictModel):
    """Which product serves a year, where its pixels come from, and what is kept of them.

    `products` are periods: the first one that covers a year wins. `sources` names those of each product, in the order
    in which they may stand in for each other, and `bands` those that are stored; a product that is not named there
    keeps its default. `reference_year` is the year that ground truth describes and training uses, through each of the
    `reference_products`: those that `products` names, where none is given. A site that was seen on less than
    `min_clear_fraction` of its pixels is not observed in that year, like one that no source covers; where these are
    more than `max_unobserved_share` of a region's sites, the region and year fails its check (a single site never does,
    unless the share is 0; with 1, a year without any image passes). `workers` sites are read at a time, each with the
    memory of one composite; that changes how long it takes, and nothing else. However many `workers` there are, a
    service is asked no faster than its own section under [sources] allows. `cache_gb` bounds what is kept on this
    machine of remote images, in 10^9 bytes: Planet's quads and tiles, and blocks of scenes; what was used longest ago
    goes first, and earlier on a disk that is all but full.
    """

    products: tuple[ProductPeriod, ...] = (ProductPeriod(product=DEFAULT_PRODUCT),)
    sources: dict[str, tuple[str, ...]] = DEFAULT_SOURCES
    bands: dict[str, tuple[str, ...]] = DEFAULT_BANDS
    reference_year: int = Field(2019, ge=EARLIEST_YEAR, le=LATEST_YEAR)
    reference_products: tuple[str, ...] = Field((), validate_default=True)
    min_clear_fraction: float = Field(0.5, ge=0.0, le=1.0)
    max_unobserved_share: float = Field(0.2, ge=0.0, le=1.0)
    workers: int = Field(4, ge=1, le=64)
    cache_gb: float = Field(300.0, gt=0.0, le=1e9)
    budget: BudgetConfig = BudgetConfig()

    @field_validator("sources", "bands", mode="after")
    @classmethod
    def _over_defaults(cls, value: dict[str, tuple[str, ...]], info: ValidationInfo) -> dict[str, tuple[str, ...]]:
        return (DEFAULT_SOURCES if info.field_name == "sources" else DEFAULT_BANDS) | value

    @field_validator("reference_products", mode="after")
    @classmethod
    def _of_the_rule(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return value or tuple(dict.fromkeys(period.product for period in info.data.get("products", ())))

    @model_validator(mode="after")
    def _known(self) -> "ImageryConfig":
        named = {p.product for p in self.products} | set(self.sources) | set(self.bands) | set(self.reference_products)
        for name in sorted(named - set(PRODUCTS)):
            raise ValueError(f"unknown product {name!r}; the products are {', '.join(PRODUCTS)}")
        for name, bands in self.bands.items():
            unknown = [b for b in bands if b not in PRODUCTS[name].bands]
            if not bands:
                raise ValueError(f"bands names none for {name}; it has {', '.join(PRODUCTS[name].bands)}")
            if unknown:
                raise ValueError(f"{name} has no band {', '.join(unknown)}; it has {', '.join(PRODUCTS[name].bands)}")
        return self

    def product_for(self, year: int, periods: tuple[ProductPeriod, ...] = ()) -> str:
        """The product of a year: the region's own periods first, then the project's. Raises `BadInputError`."""
        for period in (*periods, *self.products):
            if period.covers(year):
                return period.product
        raise BadInputError(f"no product is set for {year}; add a period that covers it to [imagery] products")

    def bands_for(self, name: str) -> tuple[str, ...]:
        """Bands stored for a product, by default all it has."""
        return self.bands.get(name, product(name).bands)
