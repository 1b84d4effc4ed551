"""Series breaks: where the source, the product, the season or the series behind a map changes from year to year.

A change of areas in such a year may be no change on the ground. The step is measured where an overlap exists (the
reference year through two products, years that two series share), and called unmeasured where none does.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import pandas as pd
import pyarrow.parquet as pq

from minemap_assets.geo.vector import write_parquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.segmentation.evaluation.intervals import FEWEST_PLACES, Interval
from minemap_assets.validation.continuity import ALL_GROUND, EVERYTHING

FILE = "series_break.parquet"
MEASURED, UNMEASURED = "measured", "unmeasured"
SHOWN = 20
"""Sentences that the summary tells at most."""


@dataclass(frozen=True)
class Measure:
    """By how much areas jump with no change on the ground: `ratio` of after to before, its interval (NaN where there is
    none), and what it was measured on, in words.
    """

    ratio: float
    interval: Interval
    where: str

    @property
    def reversed(self) -> "Measure":
        """The same step in the other direction."""
        low, high = (1.0 / end if end > 0.0 else math.nan for end in (self.interval.high, self.interval.low))
        return Measure(1.0 / self.ratio if self.ratio > 0.0 else math.nan, Interval(low, high), self.where)


@dataclass(frozen=True)
class Break:
    """One row: what changed in a region and year against the year before that was mapped.

    `change` is product, source, season or series. `changed_share` is the share of the sites of both years that it
    concerns, 0 to 1. A change of series has a country in the place of a region, and no sites (null).
    """

    region: str
    country_iso3: str
    year: int
    previous_year: int
    change: str
    before: str
    after: str
    sites: int | None = None
    changed_share: float | None = None
    measure: Measure | None = None

    @property
    def measured(self) -> bool:
        """False where no overlap tells how large the step is."""
        return self.measure is not None and not math.isnan(self.measure.ratio)

    @property
    def sentence(self) -> str:
        """What changed, and by how much areas jump for that."""
        where = self.region or self.country_iso3 or "ground of no country"
        change = f"{where} {self.year}: {self.change} changes from {self.before} to {self.after} since "
        change += str(self.previous_year)
        if self.measure is None or not self.measured:
            return f"{change}, and no overlap says by how much areas jump for that."
        low, high = self.measure.interval.low, self.measure.interval.high
        interval = "" if math.isnan(low) else f" (95 % interval {100 * (low - 1):+.1f} to {100 * (high - 1):+.1f} %)"
        return f"{change}, for which areas change by {100 * (self.measure.ratio - 1):+.1f} %{interval}."


@dataclass(frozen=True, eq=False)
class ImageryYear:
    """Where the images of a region and year come from: the product, the season in words (month and day), and each
    site's source.
    """

    product: str
    season: str
    sources: Mapping[str, str]


def imagery_year(partition: Partition) -> ImageryYear:
    """What an `imagery` partition says of itself; one of an older minemap says no season."""
    path, wanted = partition.file("index.parquet"), ("site_id", "source", "season_start", "season_end")
    there = set(pq.read_schema(path).names)
    index = pd.read_parquet(path, columns=[name for name in wanted if name in there])
    season = ""
    if len(index) and "season_start" in index.columns:
        season = f"{index['season_start'].iloc[0][5:]} to {index['season_end'].iloc[0][5:]}"
    sources = dict(zip(index["site_id"].astype(str), index["source"].astype(str), strict=True))
    return ImageryYear(str(partition.manifest.summary["product"]), season, sources)


def imagery_breaks(
    region: str, years: Mapping[int, ImageryYear], steps: Mapping[tuple[str, str], Measure]
) -> Iterator[Break]:
    """Changes of product, source and season of a region; `steps` are measured by products before and after."""
    for earlier, year in pairwise(sorted(years)):
        yield from _between(_Pair(region, earlier, year, years[earlier], years[year]), steps)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two years of a region that follow each other among those that were mapped."""

    region: str
    previous_year: int
    year: int
    before: ImageryYear
    after: ImageryYear

    @property
    def common(self) -> list[str]:
        """Sites that both years have an image of."""
        return sorted(set(self.before.sources) & set(self.after.sources))

    def changed(self, what: str, before: str, after: str, share: float, measure: Measure | None = None) -> Break:
        """A row about this pair."""
        common = len(self.common)
        return Break(self.region, "", self.year, self.previous_year, what, before, after, common, share, measure)


def _between(pair: _Pair, steps: Mapping[tuple[str, str], Measure]) -> Iterator[Break]:
    before, after, common = pair.before, pair.after, pair.common
    moved = [site for site in common if before.sources[site] != after.sources[site]]
    if before.product != after.product:
        measure = steps.get((before.product, after.product))
        yield pair.changed("product", before.product, after.product, 1.0, measure)
    elif moved:
        # sources of another product are others anyway
        old, new = _counted(before.sources, common), _counted(after.sources, common)
        yield pair.changed("source", old, new, len(moved) / len(common))
    if before.season and after.season and before.season != after.season:
        yield pair.changed("season", before.season, after.season, 1.0)


def _counted(sources: Mapping[str, str], sites: Sequence[str]) -> str:
    """`archive` where all sites have it, else `archive (3), stac (1)`."""
    counts = Counter(sources[site] for site in sites)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))


def product_steps(summary: pd.DataFrame, region: str) -> dict[tuple[str, str], Measure]:
    """Steps by products before and after, in both directions, from `continuity_summary`.

    Those of the region itself where it has places enough for an interval, else of all regions; on held-out ground
    where the overall step is told from it.
    """
    found: dict[tuple[str, str], Measure] = {}
    told = summary[summary["sentence"].notna() & (summary["stratum"] == EVERYTHING)]
    for row in told.to_dict("records"):
        same = (summary["product"] == row["product"]) & (summary["other_product"] == row["other_product"])
        of_ground = summary[same & (summary["ground"] == row["ground"])]
        own = of_ground[(of_ground["stratum"] == "region") & (of_ground["group"] == region)]
        own = own[(own["places"] >= FEWEST_PLACES) & own["area_ratio"].notna() & own["area_ratio_low"].notna()]
        chosen, place = (own.iloc[0].to_dict(), region) if len(own) else (row, "all regions")
        held = "" if chosen["ground"] == ALL_GROUND else " that no model was trained on"
        measure = Measure(
            float(chosen["area_ratio"]),
            Interval(float(chosen["area_ratio_low"]), float(chosen["area_ratio_high"])),
            f"the reference year: {chosen['sites']} sites in {chosen['places']} places of {place}{held}",
        )
        found[row["product"], row["other_product"]] = measure
        found[row["other_product"], row["product"]] = measure.reversed
    return found


def build_series_breaks(
    imagery: Mapping[tuple[str, int], Partition],
    continuity: pd.DataFrame | None,
    of_series: Sequence[Break],
    writer: PartitionWriter,
) -> Outcome:
    """Write `series_break.parquet`. `imagery` is by region and year, `continuity` the table `continuity_summary`, and
    `of_series` are changes between series (`series_overlap.py`).
    """
    breaks = list(of_series)
    for region in sorted({slug for slug, _ in imagery}):
        years = {year: imagery_year(part) for (slug, year), part in imagery.items() if slug == region}
        breaks += imagery_breaks(region, years, {} if continuity is None else product_steps(continuity, region))
    breaks.sort(key=lambda one: (one.region, one.country_iso3, one.year, one.change, one.before, one.after))
    frame = break_frame(breaks)
    writer.write(FILE, lambda path: write_parquet(frame, path))
    return Outcome(
        {
            "rows": len(breaks),
            "changes": dict(sorted(Counter(one.change for one in breaks).items())),
            "unmeasured": sum(not one.measured for one in breaks),
            "breaks": [one.sentence for one in breaks[:SHOWN]],
        }
    )


def break_frame(breaks: Sequence[Break]) -> pd.DataFrame:
    """The table `series_break`, with the same types when there is no break."""
    plain = [field.name for field in fields(Break) if field.name != "measure"]
    rows = []
    for one in breaks:
        measure = one.measure if one.measure is not None and one.measured else None
        said = {name: getattr(one, name) for name in plain}
        rows.append(
            said
            | {
                "measurement": MEASURED if measure else UNMEASURED,
                "step": measure.ratio if measure else math.nan,
                "step_low": measure.interval.low if measure else math.nan,
                "step_high": measure.interval.high if measure else math.nan,
                "measured_on": measure.where if measure else None,
                "sentence": one.sentence,
            }
        )
    return pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)


_TYPES = {
    "region": "str",
    "country_iso3": "str",
    "year": "int64",
    "previous_year": "int64",
    **dict.fromkeys(("change", "before", "after"), "str"),
    "sites": "Int64",
    "changed_share": "float64",
    "measurement": "str",
    **dict.fromkeys(("step", "step_low", "step_high"), "float64"),
    **dict.fromkeys(("measured_on", "sentence"), "str"),
}
