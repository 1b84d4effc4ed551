"""What the paper published of countries: Table S1, and the ground that it covers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import pandas as pd

SOURCE = "Sepin, Vashold and Kuschnig 2025, Table S1"
"""What stands in the column `source`; the citation in full stands in the file's first lines."""

_FILE = "published/country_area_2016_2024.csv"


@dataclass(frozen=True)
class PublishedCoverage:
    """The ground that the published areas describe: sites known from two polygon sets, within a latitude, outside the
    countries that the imagery does not cover. `floor_km2`: a country stands in the table where its area reached this
    in at least one year; of another one nothing is published, which is not zero.
    """

    latitude: float
    excluded: tuple[str, ...]
    floor_km2: float


PUBLISHED_COVERAGE = PublishedCoverage(
    latitude=30.0,
    excluded=tuple(
        """
        AFG ARE AUS CAN CHN DZA EGY ESH IRN IRQ ISR JOR JPN KOR KWT LBN LBY MAR MRT NCL OMN PAK PRI PRK PSE QAT RUS SAU
        SYR TUN TWN URY USA YEM
        """.split()  # noqa: SIM905 - 34 strings, one a line, are not read by anybody
    ),
    floor_km2=100.0,
)
"""30 degrees either side of the equator and, in the authors' scripts (github.com/p0017/Mapping-Mining-Areas), 35 codes
that are left out: these 34, and LBA beside LBY for Libya.
"""

PUBLISHED_AS: Mapping[str, str] = MappingProxyType(dict.fromkeys(("GLP", "GUF", "MTQ", "MYT", "REU"), "FRA"))
"""Territories whose ground the table counts under another code: Natural Earth's countries hold them in France, whose
ground within the coverage is theirs alone.
"""


@cache
def _published() -> pd.DataFrame:
    with (files("minemap_assets.reference") / _FILE).open(encoding="utf-8") as text:
        table = pd.read_csv(text, comment="#", dtype={"iso3": str, "name": str})
    long = table.drop(columns="name").melt(id_vars="iso3", var_name="year", value_name="area_km2")
    long = long.astype({"year": "int64", "area_km2": "float64"}).assign(source=SOURCE)
    return long.sort_values(["iso3", "year"], ignore_index=True)


def published_areas() -> pd.DataFrame:
    """Table S1: [iso3, year, area_km2, source], sorted by iso3 and year.

    38 countries in the years 2016 to 2024, in whole square kilometres, as the table prints them.
    """
    return _published().copy()
