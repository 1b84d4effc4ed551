"""A project: its lake, its settings, regions and reference files, and the sources that serve it.

What belongs here: reading what people wrote under `inputs/`, always fresh, so that a change is seen without a restart.
What does not: Dagster, and work on pixels or polygons.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.vector_files import is_empty_collection, read_vector
from minemap_assets.imagery.arrivals import Channel, read_arrivals, season_name
from minemap_assets.imagery.config import ProductPeriod
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.lake.lake import Lake
from minemap_assets.messages import suggestion
from minemap_assets.project.regions import Region, read_regions
from minemap_assets.project.settings import SETTINGS_PATH, Settings, parse_settings
from minemap_assets.reference.catalogue import Catalogue, ReferenceEntry, read_catalogue
from minemap_assets.reference.datasets import is_fetched

REGIONS_PATH = "inputs/regions.geojson"
PROMOTED_SITES_PATH = "inputs/promoted_sites.geojson"

DEFAULT_POLYGON_SETS = ("maus_2022", "tang_werner_2023")
"""The paper's two sets; named in the graph until a project registers its own."""

FIRST_YEAR = 2016
"""The first year partition (paper: 2016 to 2024)."""


@dataclass(frozen=True)
class SourceRequest:
    """What a source is opened with."""

    product: str
    settings: Settings
    lake: Lake


SourceFactory = Callable[[SourceRequest], ImagerySource]
Progress = Callable[[str, int, int], None]
"""Called with the partition's name, items done and items in all."""


def no_progress(_: str, __: int, ___: int) -> None:
    """Tell nobody."""


class Project:
    """Everything a recipe may ask for."""

    def __init__(self, lake: Lake, factories: Mapping[str, SourceFactory], progress: Progress = no_progress) -> None:
        self.lake = lake
        self.progress = progress
        self.sample: int | None = None
        self._factories = factories

    def _input(self, path: str) -> bytes | None:
        try:
            return self.lake.store.read_bytes(path)
        except NotFoundError:
            return None

    @property
    def settings(self) -> Settings:
        """Settings from the lake's TOML file; the defaults where there is none. `sample` limits sites in a pilot.

        Raises `BadInputError` naming the file and the entry that is wrong.
        """
        data = self._input(SETTINGS_PATH)
        where = f"{self.lake.store.root}/{SETTINGS_PATH}"
        settings = Settings() if data is None else parse_settings(data, where)
        for product, names in settings.imagery.sources.items():
            for name in names:
                self._check_source(name, f"{where}: [imagery.sources] {product}")
        if self.sample is None:
            return settings
        return settings.model_copy(update={"sites": settings.sites.model_copy(update={"sample": self.sample})})

    @property
    def regions(self) -> dict[str, Region]:
        """All regions, retired ones included, by slug."""
        data = self._input(REGIONS_PATH)
        return {} if data is None else read_regions(data)

    def active_regions(self) -> dict[str, Region]:
        """Regions that are not retired, in order of their slugs."""
        return {slug: r for slug, r in sorted(self.regions.items()) if not r.retired}

    def region(self, slug: str) -> Region:
        """One region. Raises `BadInputError` for an unknown slug."""
        regions = self.regions
        if slug not in regions:
            known = ", ".join(sorted(regions)) or "none yet"
            raise BadInputError(
                f"unknown region {slug!r}{suggestion(slug, regions)}; the regions are {known}, and "
                f"`minemap regions add` adds one"
            )
        return regions[slug]

    @property
    def catalogue(self) -> Catalogue:
        """The registered reference files."""
        return read_catalogue(self.lake.store)

    def polygon_sets(self) -> tuple[str, ...]:
        """Names of the polygon sets in the asset graph; none are needed where a person promoted outlines to sites."""
        names = tuple(e.name for e in self.catalogue.entries if e.kind == "polygons")
        promoted = self.lake.store.size(PROMOTED_SITES_PATH) is not None
        return names or (() if promoted else DEFAULT_POLYGON_SETS)

    def reference_entry(self, name: str) -> ReferenceEntry:
        """A registered reference file. Raises `BadInputError` where it is missing."""
        for entry in self.catalogue.entries:
            if entry.name == name:
                return entry
        fetched = f"fetch the published one with `minemap reference fetch {name}`, or " if is_fetched(name) else ""
        raise BadInputError(
            f"the reference file {name!r} is not registered; {fetched}register one with `minemap reference add {name} "
            "FILE --licence LICENCE`"
        )

    def promoted_sites(self) -> gpd.GeoDataFrame | None:
        """Outlines a person promoted to sites (EPSG:4326); None where there are none.

        Raises `BadInputError` where the file cannot be read.
        """
        data = self._input(PROMOTED_SITES_PATH)
        if data is None or is_empty_collection(data):
            return None
        return read_vector(self.lake.store.fetch(PROMOTED_SITES_PATH))

    def reference_year(self, region: Region) -> int:
        """The year whose labels train the model."""
        return region.reference_year or self.settings.imagery.reference_year

    def season(self, region: Region, year: int) -> Season:
        """The region's season of a year."""
        return self.season_rule(region).season(year)

    def season_rule(self, region: Region) -> SeasonRule:
        """The months of the region's season."""
        if region.season is None:
            return SeasonRule()
        first, last = region.season
        return SeasonRule(first_month=first, last_month=last)

    def product_for(self, region: Region, year: int) -> str:
        """The product that serves a region and year."""
        periods = tuple(ProductPeriod.model_validate(dict(p)) for p in region.products)
        return self.settings.imagery.product_for(year, periods)

    def training_regions(self) -> tuple[str, ...]:
        """Regions whose labels enter training. Raises `BadInputError` where the settings name one that is not there."""
        chosen = self.settings.training.regions
        regions = self.regions
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
        return chosen or tuple(self.active_regions())

    def training_products(self) -> tuple[str, ...]:
        """Products whose pixels enter training."""
        settings = self.settings
        return settings.training.products or settings.imagery.reference_products

    def sources(self, product: str) -> tuple[ImagerySource, ...]:
        """The product's sources, in the order they may stand in for each other. Raises `BadInputError`."""
        settings = self.settings
        names = settings.imagery.sources.get(product, ())
        if not names:
            raise BadInputError(f"no source is set for {product}; name one in {SETTINGS_PATH} under [imagery.sources]")
        return tuple(self._factories[n](SourceRequest(product, settings, self.lake)) for n in names)

    def corrections(self, region: Region, year: int, product: str) -> dict[str, int]:
        """How often a region's images of a year were seen to be corrected, by source; only those that were."""
        arrivals = read_arrivals(self.lake.store)
        season = season_name(self.season_rule(region))
        names = self.settings.imagery.sources.get(product, ())
        counts = {name: arrivals.corrections(Channel(product, name, season), year) for name in names}
        return {name: count for name, count in counts.items() if count}

    def _check_source(self, name: str, where: str) -> None:
        if name not in self._factories:
            known = ", ".join(sorted(self._factories))
            raise BadInputError(
                f"{where}: unknown source {name!r}{suggestion(name, self._factories)}; the sources are {known}"
            )


def open_project(home: str, state: Path, factories: Mapping[str, SourceFactory]) -> Project:
    """The project whose lake lies at `home`, a folder or the URL of an object store."""
    return Project(Lake.at(home, state), factories)
