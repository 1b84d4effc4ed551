"""Readiness: what a run over some regions and years will lack, found before anything is fetched or made.

Every function looks at one thing and returns its findings; none raises for what is wrong with a project.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import geopandas as gpd

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.not_observed import most_unobserved
from minemap_assets.imagery.rules import product_of, reference_year_of, season_of, training_products, training_regions
from minemap_assets.imagery.source_kind import SourceKind, kind_named
from minemap_assets.imagery.sources.archive.catalogue import read_archives
from minemap_assets.imagery.sources.archive.kind import ARCHIVE
from minemap_assets.planning.expected_sites import covered_shares, expected_sites, registered_sets
from minemap_assets.planning.findings import Finding, doubt, ok, wrong
from minemap_assets.planning.image_facts import years_text
from minemap_assets.planning.source_reports import SourceReport
from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region
from minemap_assets.reference.registered import has_labels, is_registered, polygon_sets
from minemap_assets.sites.ground_truth import PolygonSet


@dataclass(frozen=True)
class Need:
    """Imagery that a run wants: a region, a year, a product, and whether labels are learned from it."""

    region: Region
    year: int
    product: str
    trains: bool = False


@dataclass(frozen=True, eq=False)
class Prospect:
    """A project before a run over some regions and years."""

    project: Project
    regions: tuple[Region, ...]
    years: tuple[int, ...]

    @cached_property
    def trained(self) -> tuple[Region, ...]:
        """Regions whose labels train the model. Raises `BadInputError` where the settings name one that is none."""
        return tuple(self.project.region(slug) for slug in training_regions(self.project))

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """All imagery that has a product; what the settings get wrong is left out."""
        found = []
        for region in self.regions:
            for year in self.years:
                try:
                    found.append(Need(region, year, product_of(self.project, region, year)))
                except BadInputError:
                    continue
        try:
            trained: tuple[Region, ...] = self.trained if has_labels(self.project) else ()
        except BadInputError:
            trained = ()
        for region in trained:
            year = reference_year_of(self.project, region)
            found += [Need(region, year, product, trains=True) for product in training_products(self.project)]
        return tuple(found)

    @cached_property
    def products(self) -> tuple[str, ...]:
        """Every product that is wanted, sorted."""
        return tuple(sorted({need.product for need in self.needs}))

    @cached_property
    def sets(self) -> tuple[PolygonSet, ...]:
        """The registered polygon sets. Raises `BadInputError` where one cannot be read."""
        return registered_sets(self.project)

    @cached_property
    def sites(self) -> Mapping[str, gpd.GeoDataFrame]:
        """The sites that each region of the run and of the training will have, by slug; raises as `sets` does."""
        regions = {region.slug: region for region in (*self.regions, *self.trained)}
        return {slug: expected_sites(self.project, region, self.sets) for slug, region in sorted(regions.items())}

    def sources(self, product: str) -> tuple[str, ...]:
        """Names of a product's sources."""
        return self.project.section(ImageryConfig).sources.get(product, ())

    @property
    def kinds(self) -> tuple[SourceKind, ...]:
        """Every source that is named for a wanted product, sorted."""
        names = {name for product in self.products for name in self.sources(product)}
        return tuple(kind_named(self.project, name) for name in sorted(names))

    def images(self, need: Need) -> list[Image]:
        """Images of the project's archives that are of that product and season, wherever they lie."""
        season = season_of(need.region, need.year)
        every = (image for archive in read_archives(self.project) for image in archive.images)
        return [image for image in every if image.product == need.product and image.within(season)]

    def own_files_only(self, product: str) -> bool:
        """Whether a product comes from the project's archives and from nowhere else."""
        return self.sources(product) == (ARCHIVE.name,)


def rule_findings(prospect: Prospect) -> Iterator[Finding]:
    """Years for which no product is set, and training regions that are none."""
    try:
        _ = prospect.trained
    except BadInputError as error:
        yield wrong(str(error), "correct it there")
    for region in prospect.regions:
        served = {need.year: need.product for need in prospect.needs if need.region == region and not need.trains}
        lacking = [year for year in prospect.years if year not in served]
        if lacking:
            advice = f"leave them out with `--years {years_text(list(served))}`" if served else "name one"
            yield wrong(
                f"region {region.slug}: no product is set for {years_text(lacking)}",
                f"{advice}, or add a period that covers them to [imagery] products of {prospect.project.where}",
            )
    if prospect.needs:
        by_product: defaultdict[str, list[int]] = defaultdict(list)
        for need in prospect.needs:
            by_product[need.product].append(need.year)
        yield ok("products: " + "; ".join(f"{p} for {years_text(y)}" for p, y in sorted(by_product.items())))


def archive_findings(prospect: Prospect) -> Iterator[Finding]:
    """Products and years of the run and of the training that own files shall show, and that no file shows."""
    lacking: defaultdict[tuple[str, str, bool], list[int]] = defaultdict(list)
    for need in prospect.needs:
        near = [image for image in prospect.images(need) if image.geometry.intersects(need.region.geometry)]
        if prospect.own_files_only(need.product) and not near:
            lacking[need.region.slug, need.product, need.trains].append(need.year)
    for (slug, product, trains), years in sorted(lacking.items()):
        purpose = f", the year of the labels ({years_text(years)})" if trains else f" in {years_text(years)}"
        others = [year for year in prospect.years if year not in years]
        advice = (
            "index images of it with `minemap archive index FOLDER`, or name another source or year in the settings"
        )
        if others and not trains:
            advice = f"leave these years out with `--years {years_text(others)}`, or {advice}"
        yield wrong(f"region {slug}: no image of {product}{purpose} is indexed, and no other source is named", advice)


def coverage_findings(prospect: Prospect) -> Iterator[Finding]:
    """Sites whose windows reach beyond the project's own images: wrong where they are too many to go on without."""
    config = prospect.project.section(ImageryConfig)
    limit = config.min_clear_fraction
    for need in prospect.needs:
        sites = prospect.sites[need.region.slug]
        images = prospect.images(need) if prospect.own_files_only(need.product) else []
        if not images or not len(sites):
            continue
        shares = covered_shares(sites.geometry, images)
        outside, poor = int((shares == 0).sum()), int(((shares > 0) & (shares < limit)).sum())
        where = f"region {need.region.slug}, {need.product} in {need.year}"
        few = outside + poor <= most_unobserved(len(sites), config.max_unobserved_share)
        tell, advice = (doubt, _LISTED) if few else (wrong, _TOO_MANY)
        if poor:
            shown = f"less than {limit:.0%} of the windows of {_of(poor, len(sites))} sites"
            yield tell(f"{where}: the images show {shown}", advice)
        if outside:
            yield tell(f"{where}: no image shows {_of(outside, len(sites))} sites", advice)


_LISTED = "they will be listed as not observed"
_TOO_MANY = (
    "index more images, or lower min_clear_fraction or raise max_unobserved_share under [imagery] of the settings"
)


def band_findings(prospect: Prospect) -> Iterator[Finding]:
    """Bands that the model reads and that are not stored, or that the project's own images do not have."""
    config = prospect.project.section(ImageryConfig)
    wanted = prospect.project.section(ChipsConfig).bands
    for product in prospect.products:
        stored = config.bands_for(product)
        absent = [band for band in wanted if band not in stored]
        if absent:
            yield wrong(
                f"the model reads {', '.join(absent)}, which is not stored of {product}",
                f"add it to bands under [imagery.bands], or set [chips] bands to some of {', '.join(stored)}",
            )
        images = [i for archive in read_archives(prospect.project) for i in archive.images if i.product == product]
        if prospect.own_files_only(product) and images and not any(set(stored) <= set(i.bands) for i in images):
            common = frozenset[str].intersection(*(frozenset(image.bands) for image in images))
            has = [band for band in stored if band in common]
            yield wrong(
                f"no image of {product} has all of {', '.join(stored)}",
                f"set its line under [imagery.bands], and [chips] bands, to what they have: {', '.join(has) or 'none'}",
            )


def source_findings(prospect: Prospect, reports: Mapping[str, SourceReport]) -> Iterator[Finding]:
    """Whether the sources of the wanted products answer; `reports` are those of `prospect.kinds`, by name."""
    named = {product: prospect.sources(product) for product in prospect.products}
    for product, names in named.items():
        if not names:
            yield wrong(f"no source is named for {product}", "name one under [imagery.sources] of the settings")
    for name, report in reports.items():
        if report.works:
            yield ok(f"source {name}: {report.access}")
            continue
        alone = [p for p, names in named.items() if name in names and not any(reports[n].works for n in names)]
        level = wrong if alone else doubt
        what = f"; {' and '.join(alone)} cannot be had" if alone else "; others stand in for it"
        yield level(f"source {name} does not work: {report.access.rstrip('.')}{what}", "`minemap sources` says more")


def region_findings(prospect: Prospect) -> Iterator[Finding]:
    """Regions, and whether any known mine lies in them."""
    project = prospect.project
    if not prospect.regions:
        yield wrong("no region yet", "say what to map with `minemap regions add SLUG FILE`")
    unregistered = [name for name in polygon_sets(project) if not is_registered(project, name)]
    if unregistered:
        yield wrong(
            "no known mines are registered",
            "fetch the published ones with `minemap reference fetch " + unregistered[0] + "`, or register your own "
            "with `minemap reference add NAME FILE --licence LICENCE`",
        )
        return
    for region in prospect.regions:
        sites = prospect.sites[region.slug]
        counts = sites["origin"].value_counts()
        if not len(sites):
            names = ", ".join(one.name for one in prospect.sets) or "no set"
            yield doubt(
                f"region {region.slug}: no known mine lies in it (looked in {names}), so nothing will be mapped there",
                "register outlines of its mines with `minemap reference add`, or add them with `minemap sites promote`",
            )
        else:
            told = ", ".join(f"{count} {origin}" for origin, count in counts.items())
            yield ok(f"region {region.slug}: {region.area_km2:,.0f} km2, sites: {told}")


def reference_findings(prospect: Prospect) -> Iterator[Finding]:
    """Country borders and validation points."""
    if is_registered(prospect.project, "country_boundaries"):
        yield ok("country borders are registered")
    else:
        yield wrong(
            "no country borders are registered, which polygons and all tables need",
            "`minemap reference fetch country_boundaries` takes the published ones",
        )
    if is_registered(prospect.project, "validation_points"):
        yield ok("validation points are registered")
    else:
        yield doubt(
            "no validation points are registered, so accuracy is known from held-out mines only",
            "`minemap reference add validation_points FILE` registers points with a year and a label",
        )


def _of(some: int, every: int) -> str:
    return f"{some} of {every}"
