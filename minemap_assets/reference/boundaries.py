"""Country boundaries: one valid geometry for each code, with its continent and the state whose ground it is."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.antimeridian import short_way
from minemap_assets.geo.vector import WGS84, areas_km2, dissolve_touching, write_geoparquet
from minemap_assets.geo.vector_files import areal_parts
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.store import Store
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.messages import shown
from minemap_assets.reference.catalogue import ReferenceEntry, read_entry
from minemap_assets.reference.continents import CONTINENT_OF
from minemap_assets.reference.country_codes import ASSIGNED, is_known_code, is_written_as_code, rule_of
from minemap_assets.reference.country_columns import COLUMNS
from minemap_assets.reference.polygon_sets import has_area, text_of
from minemap_assets.reference.territories import (
    DISPUTED,
    DISPUTED_CODES,
    SOVEREIGNS,
    TERRITORIES,
    sovereign_of,
    split_territories,
)

FILE = "boundaries.parquet"

ISO3_COLUMNS = (
    "iso_a3_eh",
    "iso_a3",
    "isoa3",
    "adm0_a3",
    "adm0a3",
    "iso3",
    "iso3_code",
    "iso3cd",
    "shapegroup",
    "gid_0",
)
"""Spellings of the code, best first (lower case). Natural Earth says -99 in ISO_A3 for France and Norway, among others,
and has codes of its own in ADM0_A3 (SDS for South Sudan): `_given_codes` says which of a row counts.
"""

NAME_COLUMNS = ("name_long", "namelong", "name", "name_en", "admin", "country_name", "shapename", "country")
CONTINENT_COLUMNS = ("continent",)

Texts = npt.NDArray[np.object_]

_FEW = 0.1
"""A share of features with a code that shows that its column holds something else."""
_SUSPICIOUS = 0.1
"""More than this share of repeated codes is worth a word; a good file has a few."""
_OF_THE_WORLD = 200
"""A file with this many codes of the standard is one of the world, of which it is worth saying what it lacks."""
_SHOWN = 6
_MOVED = 0.05
"""A change of a country's area that is more than another scale of its coast."""


def build_boundaries(entry: ReferenceEntry, store: Store, writer: PartitionWriter) -> Outcome:
    """Write `boundaries.parquet` [iso3, name, continent, sovereign_iso3, sovereign_name, geometry] in EPSG:4326, sorted
    by iso3.

    Raises `BadInputError` where no column holds country codes.
    """
    source = read_entry(entry, store)
    countries = country_table(source, columns=entry.columns)
    writer.write(FILE, lambda path: write_geoparquet(countries, path))
    return Outcome(
        summary={
            "features": len(source),
            "countries": len(countries),
            "territories": int((countries["sovereign_iso3"] != countries["iso3"]).sum()),
            "repaired": int((~source.geometry.is_valid).sum()),
            **_said_of(source, countries, entry.columns),
            "area_km2": round(float(areas_km2(countries.geometry).sum()), 1),
        }
    )


def country_table(source: gpd.GeoDataFrame, *, columns: dict[str, str] | None = None) -> gpd.GeoDataFrame:
    """Countries [iso3, name, continent, sovereign_iso3, sovereign_name, geometry] of a frame in EPSG:4326.

    Codes that the standard has not follow `CODE_RULES`; a territory that the file holds in its state becomes a country
    of its own. Features of one code are united and named after the largest. The continent is the code's, whatever the
    file says, except for codes that are not known and where `columns` names one. `columns` overrides the spellings that
    are known. A feature without a code is left out. Raises `BadInputError` where no feature has one.
    """
    named = columns or {}
    parts, origin = areal_parts(short_way(np.asarray(source.geometry.array, dtype=object)))
    whole = _codes(source, named.get("iso3"))[origin]
    codes = split_territories(whole, parts)
    names = name_of_countries(source, named)[origin]
    own_name = {t.code: t.name for t in TERRITORIES}
    apart = codes != whole
    names[apart] = [own_name[code] for code in codes[apart]]
    rows = gpd.GeoDataFrame({"iso3": codes, "name": names, "continent": ""}, geometry=parts, crs=WGS84)
    rows["continent"] = _continents(source, named.get("continent"), codes, origin)
    rows["area"] = areas_km2(rows.geometry)
    rows["feature"] = origin
    rows = rows[rows["iso3"] != ""]
    if rows.empty:
        raise _no_codes(source, named.get("iso3"))
    largest_first = rows.sort_values(["iso3", "area"], ascending=[True, False], kind="stable")
    table = largest_first.drop_duplicates("iso3")[["iso3", "name", "continent"]].reset_index(drop=True)
    name_of = {**SOVEREIGNS, **dict(zip(table["iso3"], table["name"], strict=True))}
    table["sovereign_iso3"] = [sovereign_of(code) for code in table["iso3"]]
    table["sovereign_name"] = [
        DISPUTED if code in DISPUTED_CODES else name_of[state]
        for code, state in zip(table["iso3"], table["sovereign_iso3"], strict=True)
    ]
    united = [_united(country) for _, country in rows.groupby("iso3")]
    return gpd.GeoDataFrame(table, geometry=united, crs=WGS84)[list(COLUMNS)]


def _united(country: gpd.GeoDataFrame) -> BaseGeometry:
    """One area of a country's polygons; those of one feature are apart already."""
    parts = np.asarray(country.geometry.array, dtype=object)
    if country["feature"].nunique() > 1:
        parts = shapely.get_parts(dissolve_touching(parts))
    return MultiPolygon(list(parts)) if len(parts) > 1 else parts[0]


def _continents(
    source: gpd.GeoDataFrame, own: str | None, codes: Texts, origin: npt.NDArray[np.int64]
) -> npt.NDArray[np.object_]:
    """The continent of each part: the file's where the user named its column or the code is not known."""
    given = _first_text(source, _columns(source, own, CONTINENT_COLUMNS))[origin]
    known = np.array([CONTINENT_OF.get(code, "") for code in codes], dtype=object)
    first, second = (given, known) if own is not None else (known, given)
    return np.where(first != "", first, second)


def _said_of(source: gpd.GeoDataFrame, countries: gpd.GeoDataFrame, columns: Mapping[str, str]) -> dict[str, Any]:
    """What became of features without a code of the standard, and what the file has not, in words for a summary."""
    given = _given_codes(source, columns.get("iso3"))
    codes = _codes(source, columns.get("iso3"))
    names = name_of_countries(source, columns)
    ruled = [(str(g), str(c), str(n)) for g, c, n in zip(given, codes, names, strict=True) if g != c]
    present = set(countries["iso3"])
    absent = sorted(ASSIGNED - present)
    return {
        "without_code": sorted(names[given == ""]),
        "of_no_country": sorted(name for _, code, name in ruled if not code),
        "coded_by_rule": sorted(f"{given} ({name}) as {code}" for given, code, name in ruled if code),
        "codes_unknown": sorted(code for code in present if not is_known_code(code)),
        "territories_split": sorted(f"{code} from {sovereign_of(code)}" for code in present - set(codes)),
        "held_in_another": _merged_units(source, codes),
        "standard_codes_absent": absent if len(absent) <= len(ASSIGNED) - _OF_THE_WORLD else [],
        "without_continent": int((countries["continent"] == "").sum()),
    }


def _merged_units(source: gpd.GeoDataFrame, codes: Texts) -> list[str]:
    """Ground that Natural Earth's builds from a policy's point of view hold in a country, such as Kosovo in Serbia."""
    column = next((c for c in source.columns if str(c).lower() == "policymergedmapunits"), None)
    if column is None:
        return []
    units = [(code, np.atleast_1d(held)) for code, held in zip(codes, source[column], strict=True) if held is not None]
    return sorted(f"{text_of(unit)} in {code}" for code, held in units for unit in held if text_of(unit))


@dataclass(frozen=True, eq=False)
class Difference:
    """What two tables of countries do not share: codes in one alone, and the areas of codes in both."""

    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    areas: pd.DataFrame

    def unlike(self, share: float) -> pd.DataFrame:
        """Rows of `areas` [iso3, first_km2, second_km2, change] whose area changes by more than a share."""
        return self.areas[self.areas["change"].abs() > share].reset_index(drop=True)

    def notes(self) -> tuple[str, ...]:
        """A sentence each for a person who puts the second in the place of the first; tables by country change so."""
        moved = self.unlike(_MOVED)
        told = [f"{code} {change:+.0%}" for code, change in zip(moved["iso3"], moved["change"], strict=True)]
        return tuple(
            f"{what} {_some(codes)}"
            for what, codes in (
                ("the file that was registered before has countries that this one lacks:", self.only_first),
                ("countries that the file before lacked:", self.only_second),
                (f"countries whose area is not the one of the file before, by more than {_MOVED:.0%}:", told),
            )
            if codes
        )


def compare_countries(first: gpd.GeoDataFrame, second: gpd.GeoDataFrame) -> Difference:
    """Two tables of `country_table` side by side, code by code; `change` is relative to the first."""
    sizes = [pd.Series(areas_km2(t.geometry), index=t["iso3"].to_numpy()) for t in (first, second)]
    both = sorted(set(sizes[0].index) & set(sizes[1].index))
    areas = pd.DataFrame(
        {"iso3": both, "first_km2": sizes[0][both].to_numpy(), "second_km2": sizes[1][both].to_numpy()}
    )
    areas["change"] = areas["second_km2"] / areas["first_km2"] - 1.0
    lacking = [tuple(sorted(set(a.index) - set(both))) for a in sizes]
    return Difference(lacking[0], lacking[1], areas)


def name_of_countries(source: gpd.GeoDataFrame, columns: Mapping[str, str] | None = None) -> Texts:
    """The name of each feature; empty where it has none."""
    return _first_text(source, _columns(source, (columns or {}).get("name"), NAME_COLUMNS))


def check_countries(source: gpd.GeoDataFrame, *, columns: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What a person who registers countries (EPSG:4326) should know of them.

    Raises `BadInputError` as a run would where no feature has a code, and where none has a name, or next to none a
    code: then another column holds them.
    """
    named = columns or {}
    codes = _codes(source, named.get("iso3"))
    _need_codes(source, codes[has_area(source)], named.get("iso3"))
    names = name_of_countries(source, columns)
    if not (names != "").any():
        raise BadInputError(
            f"no column holds the names of the countries; it has {_columns_of(source)}, say which one does with "
            "--column name=COLUMN"
        )
    return tuple(_notes(codes, names))


def _notes(codes: Texts, names: Texts) -> Iterator[str]:
    """Each about more features than a good file has of that kind, except for those that are left out."""
    without = [name or "one without a name" for name in names[codes == ""]]
    if without:
        has = "has" if len(without) == 1 else "have"
        yield f"{len(without):,} of its {len(codes):,} features {has} no ISO 3166 code: {_some(without)}; left out"
    given = codes[codes != ""]
    strange = sorted({code for code in given if not is_known_code(code)})
    if strange:
        yield (
            f"{_some(strange)} are no codes of ISO 3166-1, whose codes the tables should name countries by; say which "
            "column holds them with --column iso3=COLUMN"
        )
    counts = Counter(given)
    more = sorted(code for code, count in counts.items() if count > 1)
    if sum(counts[code] for code in more) - len(more) > _SUSPICIOUS * len(given):
        yield f"several features have the code {_some(more)}; those of one code become one country"


def _some(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:_SHOWN], "..."] if len(texts) > _SHOWN else texts)


def _need_codes(source: gpd.GeoDataFrame, codes: Texts, own: str | None) -> None:
    """Refuse a file in which next to no feature has a code. Raises `BadInputError`."""
    if (codes != "").sum() <= _FEW * len(codes):
        raise _no_codes(source, own)


def _no_codes(source: gpd.GeoDataFrame, own: str | None) -> BadInputError:
    looked_in = _columns(source, own, ISO3_COLUMNS)
    held = [text_of(value) for value in (source[looked_in[0]] if looked_in else ())]
    example = next((f" ({looked_in[0]} holds {shown(text)})" for text in held if not is_written_as_code(text)), "")
    return BadInputError(
        f"no column holds ISO 3166 codes of three letters{example}; it has {_columns_of(source)}, say which one does "
        "with --column iso3=COLUMN"
    )


def _columns_of(source: gpd.GeoDataFrame) -> str:
    return ", ".join(str(c) for c in source.columns if c != source.geometry.name) or "none"


def _codes(source: gpd.GeoDataFrame, own: str | None) -> Texts:
    """The code of each feature in the tables; empty for one without a code, or of no country."""
    given = _given_codes(source, own)
    rules = [rule_of(code) for code in given]
    return np.array(
        [code if rule is None else rule.ours for code, rule in zip(given, rules, strict=True)], dtype=object
    )


def _given_codes(source: gpd.GeoDataFrame, own: str | None) -> Texts:
    """The file's code of each feature: one that a rule speaks of, else a known one, else any; empty without one."""
    held = [[text_of(value) for value in source[c]] for c in _columns(source, own, ISO3_COLUMNS)]
    found = np.full(len(source), "", dtype=object)
    for row, texts in enumerate(zip(*held, strict=True)):
        written = [text for text in texts if is_written_as_code(text)]
        ruled = [text for text in written if rule_of(text) is not None]
        known = [text for text in written if is_known_code(text)]
        found[row] = next(iter([*ruled, *known, *written]), "")
    return found


def _columns(source: pd.DataFrame, own: str | None, spellings: Sequence[str]) -> list[str]:
    if own is not None:
        return [own]
    by_lower = {str(c).lower(): str(c) for c in source.columns}
    return [by_lower[s] for s in spellings if s in by_lower]


def _first_text(source: pd.DataFrame, columns: Sequence[str]) -> Texts:
    """For each row the first filled value among columns, else an empty text."""
    found = np.full(len(source), "", dtype=object)
    for column in columns:
        empty = np.flatnonzero(found == "")
        found[empty] = [text_of(value) for value in source[column].iloc[empty]]
    return found
