"""A part of the dataset: some years, some regions. Every table is cut to it, so that all files tell of the same ground.

Rows that are of several regions together cannot be cut, and are left out rather than shown as if they were the part's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from minemap_assets.errors import BadInputError
from minemap_assets.graph.context import InputContext
from minemap_assets.graph.partitioning import REGION, YEAR
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.polygons.history_schemas import MINE_YEARS
from minemap_assets.project.project import Project
from minemap_assets.publication.dataset.dataset_tables import POINTS, POLYGONS, SAMPLE_POINTS, Table
from minemap_assets.publication.published import mapped
from minemap_assets.tables.schemas import COUNTRY_SUMMARY, IMAGERY_CLARITY, POLYGON_COUNTRY_AREA, SITE_PANEL

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Years and slugs of regions, each in order; None for all of them."""

    years: tuple[int, ...] | None = None
    regions: tuple[str, ...] | None = None

    @property
    def whole(self) -> bool:
        """True where nothing is left out."""
        return self.years is None and self.regions is None

    def holds(self, region: str, year: int) -> bool:
        """Whether a region in a year is in it."""
        return self._has(REGION, region) and self._has(YEAR, str(year))

    def of(self, context: InputContext) -> InputContext:
        """The same project with partitions of these years and regions only."""
        kept = {ref: one for ref, one in context.inputs.items() if self._holds(ref, context.upstream[ref])}
        return replace(context, inputs=kept)

    def sentences(self, project: Project) -> tuple[str, ...]:
        """What a reader has to know of it; nothing of a whole."""
        return tuple(self._sentences(project))

    def names(self, project: Project) -> tuple[str, ...]:
        """Names of the regions; nothing where it has all."""
        return tuple(project.region(slug).title or slug for slug in self.regions or ())

    def _sentences(self, project: Project) -> Iterator[str]:
        if self.whole:
            return
        years = "all years" if self.years is None else f"the year{_s(self.years)} {runs_of(self.years)}"
        names = self.names(project)
        regions = "all regions" if not names else f"the region{_s(names)} {listed(names)}"
        yield f"This is a part of a larger dataset: {years} of {regions}."
        if self.regions is not None:
            yield (
                "Country totals are of those countries only whose sites and mapped ground all lie in these regions. "
                "What was estimated from points of all regions together is left out; what the model scored is kept."
            )
        if self.years is not None:
            yield "The table site_history dates every mine of these regions by all years of the project."

    def _holds(self, ref: PartitionRef, upstream: object) -> bool:
        names = upstream.partitions.names if isinstance(upstream, Asset) else ()
        return all(self._has(name, key) for name, key in zip(names, ref.keys, strict=True))

    def _has(self, dimension: str, key: str) -> bool:
        if dimension == YEAR:
            return self.years is None or int(key) in self.years
        return dimension != REGION or self.regions is None or key in self.regions


WHOLE = Part()


def part_of(context: InputContext, years: Sequence[int] | None, regions: Sequence[str] | None) -> Part:
    """The part that a person asked for; `WHOLE` where it leaves nothing out.

    Raises `BadInputError` for a year or region of which nothing was mapped.
    """
    made = mapped(context)
    wanted = [pair for pair in made if regions is None or pair[0] in regions]
    for slug in regions or ():
        if all(region != slug for region, _ in made):
            known = ", ".join(sorted({region for region, _ in made})) or "none"
            raise BadInputError(f"--regions: {slug} was not mapped yet; mapped are {known}")
    there = sorted({year for _, year in wanted})
    for year in years or ():
        if year not in there:
            where = "" if regions is None else f" of {listed(regions)}"
            raise BadInputError(f"--years: {year}{where} was not mapped yet; mapped are {runs_of(there) or 'none'}")
    every = {year for _, year in made}
    return Part(
        None if years is None or every <= set(years) else tuple(sorted(set(years))),
        None if regions is None or set(context.project.active_regions()) <= set(regions) else tuple(sorted(regions)),
    )


def cut(tables: Iterable[Table], part: Part, project: Project) -> tuple[Table, ...]:
    """The tables with the rows of the part, as they are; those without any are left out."""
    every = tuple(tables)
    if part.whole:
        return every
    knife = _knife(every, part, project)
    kept = (replace(one, frame=one.frame[knife.rows(one)].reset_index(drop=True)) for one in every)
    return tuple(replace(one, description=_told(one)) for one in kept if len(one.frame))


_OF_PART = MappingProxyType(
    {
        COUNTRY_SUMMARY.name: "Mapped area and polygons by country and year, of countries that lie in this part whole; "
        "ground that lies in several regions counts once.",
        IMAGERY_CLARITY.name: "How clear the images of a year were, by region and product (paper, table S2).",
        MINE_YEARS.name: "Every mine in every year of this part: its area, and what happened since the last observed "
        "year.",
    }
)
"""Descriptions of tables that say of a whole what a part does not hold."""


def _told(table: Table) -> str:
    return _OF_PART.get(table.name, table.description)


@dataclass(frozen=True)
class _Knife:
    """What rows are told by: outlines of the regions, and for rows without a region the polygons that are in the part
    and the countries that lie in it as a whole.
    """

    part: Part
    ground: Any
    polygons: frozenset[str] = field(default_factory=frozenset)
    countries: frozenset[str] = field(default_factory=frozenset)

    def rows(self, table: Table) -> "Rows":
        """Which rows of a table are in the part."""
        kept = np.ones(len(table.frame), dtype=bool)
        if self.part.years is not None and "year" in table.frame.columns:
            kept &= _in(table.frame["year"], self.part.years)
        if table.name == POLYGON_COUNTRY_AREA.name:
            kept &= _in(table.frame["polygon_id"], self.polygons)
        elif self.part.regions is not None:
            kept &= _RULES.get(table.name, _by_region)(table.frame, self)
        return kept


def _knife(tables: Sequence[Table], part: Part, project: Project) -> _Knife:
    import shapely

    ground = shapely.union_all([project.region(slug).geometry for slug in part.regions or ()])
    shapely.prepare(ground)
    frames = {one.name: one.frame for one in tables}
    polygons = frames.get(POLYGONS)
    kept = frozenset[str]()
    if polygons is not None:
        chosen = [part.holds(region, year) for region, year in zip(polygons["region"], polygons["year"], strict=True)]
        kept = frozenset(polygons.loc[np.array(chosen, dtype=bool), "polygon_id"])
    return _Knife(part, ground, kept, frozenset(_whole_countries(frames, part.regions or ())))


def _whole_countries(frames: "Mapping[str, pd.DataFrame]", regions: Sequence[str]) -> set[str]:
    """Codes of countries with sites or mapped ground in some regions, and in no other."""
    inside, outside = set[str](), set[str]()
    told = [frames[SITE_PANEL.name][["region", "country_iso3"]].rename(columns={"country_iso3": "iso3"})]
    if POLYGONS in frames and POLYGON_COUNTRY_AREA.name in frames:
        split = frames[POLYGON_COUNTRY_AREA.name][["polygon_id", "iso3"]]
        told.append(split.merge(frames[POLYGONS][["polygon_id", "region"]], on="polygon_id")[["region", "iso3"]])
    for rows in told:
        here = _in(rows["region"], regions)
        inside |= set(rows.loc[here, "iso3"].dropna())
        outside |= set(rows.loc[~here, "iso3"].dropna())
    return inside - outside


def _in(values: "pd.Series[Any]", chosen: Iterable[Any]) -> "Rows":
    """Which values are among some; a null is not."""
    return values.isin(list(chosen)).fillna(False).to_numpy(dtype=bool)


def _by_region(frame: "pd.DataFrame", knife: _Knife) -> "Rows":
    """Rows of the regions; none of a table that does not say which region a row is of."""
    return _in(frame["region"], knife.part.regions or ()) if "region" in frame else np.zeros(len(frame), dtype=bool)


def _by_place(frame: "pd.DataFrame", knife: _Knife) -> "Rows":
    import shapely

    found: Rows = shapely.intersects(knife.ground, np.asarray(frame["geometry"], dtype=object))
    return found


def _by_country(frame: "pd.DataFrame", knife: _Knife) -> "Rows":
    return _in(frame["iso3"], knife.countries)


def _by_stratum(frame: "pd.DataFrame", knife: _Knife) -> "Rows":
    """Rows that sum up the sites of one of the regions."""
    return (frame["stratum"] == REGION).to_numpy(dtype=bool) & _in(frame["group"], knife.part.regions or ())


def _by_region_or_country(frame: "pd.DataFrame", knife: _Knife) -> "Rows":
    """Changes in the regions; a change of series is told by country."""
    of_country = (frame["region"].fillna("") == "").to_numpy(dtype=bool) & _in(frame["country_iso3"], knife.countries)
    return _by_region(frame, knife) | of_country


def _all(frame: "pd.DataFrame", _: _Knife) -> "Rows":
    return np.ones(len(frame), dtype=bool)


_RULES: "Mapping[str, Callable[[pd.DataFrame, _Knife], Rows]]" = MappingProxyType(
    {
        COUNTRY_SUMMARY.name: _by_country,
        POINTS: _by_place,
        SAMPLE_POINTS: _by_place,
        "continuity_summary": _by_stratum,
        "series_break": _by_region_or_country,
        # it tells of the model, which is the same everywhere
        "model_evaluation": _all,
    }
)
"""How tables are cut by region that do not have a region in every row."""


def runs_of(years: Iterable[int]) -> str:
    """`2017`, or `2017 and 2019 to 2021`."""
    runs: list[list[int]] = []
    for year in sorted(set(years)):
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return listed([str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs])


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, or `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _s(several: Sequence[object]) -> str:
    return "" if len(several) == 1 else "s"
