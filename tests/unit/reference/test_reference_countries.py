"""Countries: codes of the standard from every file, territories beside their state, and continents by code."""

import os
import re
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minemap_assets.geo.vector import areas_km2
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.reference.boundaries import check_countries, compare_countries, country_table
from minemap_assets.reference.continents import CONTINENT_OF
from minemap_assets.reference.country_codes import (
    ASSIGNED,
    CODE_RULES,
    is_known_code,
    is_written_as_code,
    rule_of,
)
from minemap_assets.reference.territories import DISPUTED_CODES, SOVEREIGN_OF, SOVEREIGNS, TERRITORIES

FILES = {"10m": "countries-10m.json", "50m": "countries-50m.json", "shapefile": "ne_50m/ne_50m_admin_0_countries.shp"}
GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "countries.md"


@pytest.fixture
def natural_earth() -> Path:
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        pytest.skip("MINEMAP_TEST_DATA is not set")
    return Path(folder) / "natural-earth"


@cache
def read(path: Path) -> gpd.GeoDataFrame:
    return read_vector(path, crs="EPSG:4326", known_layers=("countries",))


@cache
def table_of(path: Path) -> gpd.GeoDataFrame:
    return country_table(read(path)).set_index("iso3", drop=False)


def frame(*rows: tuple[str, shapely.Geometry], **columns: list[str]) -> gpd.GeoDataFrame:
    names = [f"Land {n}" for n in range(len(rows))]
    return gpd.GeoDataFrame(
        {"ISO_A3": [code for code, _ in rows], "NAME": names, **columns}, geometry=[g for _, g in rows], crs=4326
    )


@pytest.mark.parametrize("name", ["ne_50m/ne_50m_admin_0_countries.shp", "countries-50m.json"])
def test_a_good_file_is_not_doubted(natural_earth: Path, name: str) -> None:
    assert check_countries(read(natural_earth / name)) == ()


def test_the_codes_are_those_of_the_standard(natural_earth: Path) -> None:
    given = set(read(natural_earth / FILES["shapefile"])["ISO_A3_EH"])
    assert given - ASSIGNED == {"-99"}
    assert len(ASSIGNED) == 249
    assert all(is_written_as_code(code) for code in ASSIGNED)


@pytest.mark.parametrize("name", FILES)
def test_every_country_of_a_real_file_has_a_code_and_a_continent(natural_earth: Path, name: str) -> None:
    table = table_of(natural_earth / FILES[name])
    others = {"XSG"} | ({"XKX", "XNC", "XSL"} if name == "shapefile" else set())
    others |= DISPUTED_CODES | {"XAD", "XCL"} if name == "10m" else set()
    assert set(table.index) - ASSIGNED == others
    assert {"FRA", "NOR", "SSD", "ESH", "PSE", "ALA"} <= set(table.index)
    assert dict(table["continent"]) == {code: CONTINENT_OF[code] for code in table.index}
    assert table.loc["GUF", ["name", "continent", "sovereign_iso3", "sovereign_name"]].tolist() == [
        *("French Guiana", "South America", "FRA", "France"),
    ]
    assert table.loc["XSG", ["sovereign_iso3", "sovereign_name"]].tolist() == ["XSG", "disputed"]
    assert table.loc["BRA", ["sovereign_iso3", "sovereign_name"]].tolist() == ["BRA", "Brazil"]
    places = {"GUF": (-53, 4), "REU": (55.5, -21.1), "MYT": (45.15, -12.8), "SJM": (22.7, 79.84), "PRI": (-66.5, 18.2)}
    for code, place in places.items():
        assert table[table.contains(shapely.Point(place))].index.tolist() == [code]
    assert table.loc["FRA"].geometry.bounds[1] > 41
    assert table.is_valid.all()
    # open pits on the coast of China, which 1:50m draws through the sea
    assert table.contains(shapely.Point(109.545, 21.567)).loc["CHN"] == (name == "10m")
    # km2, roughly, as almanacs have it
    known = {"GUF": 83_534, "FJI": 18_272, "RUS": 16_377_742, "GLP": 1_628, "REU": 2_511, "SJM": 62_422}
    sizes = areas_km2(table.loc[list(known)].geometry)
    assert sizes == pytest.approx(np.array(list(known.values()), dtype=float), rel=0.1)


def test_what_two_files_do_not_share_is_named(natural_earth: Path) -> None:
    """The codes are the same; 1:10 million has more islands, and the United Nations' view holds Kosovo in Serbia."""
    large, small, whole = (table_of(natural_earth / FILES[name]) for name in FILES)
    scale = compare_countries(large, small)
    assert scale.only_second == ("VAT",)
    assert set(scale.only_first) == {"BVT", "GIB", "UMI", "XAD", "XCL"} | (DISPUTED_CODES - {"XSG"})
    unlike = scale.unlike(0.05)
    # but for the polar cap, which the small file has not whole, only what has less than 30,000 km2 is drawn otherwise
    assert set(unlike.loc[unlike["first_km2"] > 30_000, "iso3"]) == {"ATA"}
    view = compare_countries(small, whole)
    assert (view.only_first, view.only_second) == ((), ("XKX", "XNC", "XSL"))
    assert set(view.unlike(0.1)["iso3"]) == {"ATA", "CYP", "SOM", "SRB"}
    for state, apart in (("SOM", "XSL"), ("CYP", "XNC")):
        sums = [areas_km2(t[t["sovereign_iso3"] == state].geometry).sum() for t in (small, whole)]
        assert sums[0] == pytest.approx(sums[1], rel=0.01), apart


def test_a_feature_that_a_rule_speaks_of_follows_it_in_every_column() -> None:
    """Natural Earth's Shapefile calls the Indian Ocean Territories AUS in one column and IOA in another."""
    source = frame(
        ("-99", shapely.box(20, 42, 21, 43)),
        ("AUS", shapely.box(105.5, -10.6, 105.7, -10.4)),
        ("-99", shapely.box(33, 22, 34, 22.1)),
        ("EGY", shapely.box(30, 23, 31, 24)),
        ADM0_A3=["KOS", "IOA", "BRT", "EGY"],
        CONTINENT=["Europe", "Asia", "Africa", "Africa"],
    )
    table = country_table(source)
    assert table[["iso3", "name", "continent", "sovereign_iso3", "sovereign_name"]].to_numpy().tolist() == [
        ["CXR", "Christmas Island", "Oceania", "AUS", "Australia"],
        ["EGY", "Land 3", "Africa", "EGY", "Land 3"],
        ["XKX", "Land 0", "Europe", "XKX", "Land 0"],
    ]


def test_a_territory_is_split_from_its_state_by_whole_parts_alone() -> None:
    mainland, guiana = shapely.box(0, 44, 4, 49), shapely.box(-54, 3, -52, 5)
    table = country_table(frame(("FRA", shapely.union(mainland, guiana)), ("BRA", shapely.box(-53, 3, -52.5, 3.5))))
    assert table["iso3"].tolist() == ["BRA", "FRA", "GUF"]
    assert table.geometry.iloc[1].equals(mainland)
    table = country_table(frame(("FRA", shapely.box(-60, 3, -52, 5))))
    assert table["iso3"].tolist() == ["FRA"], "one that reaches out of the box is not the territory"


def test_the_users_own_words_for_continents_count_where_they_say_so() -> None:
    rows = (("GHA", shapely.box(0, 5, 1, 6)), ("XAA", shapely.box(2, 5, 3, 6)))
    source = frame(*rows, CONTINENT=["Somewhere", "Else"], part=["West", "East"])
    assert country_table(source)["continent"].tolist() == ["Africa", "Else"]
    assert country_table(source, columns={"continent": "part"})["continent"].tolist() == ["West", "East"]


def test_the_tables_of_codes_fit_each_other() -> None:
    ours = {rule.ours for rule in CODE_RULES} - {""}
    theirs = [code for rule in CODE_RULES for code in rule.theirs]
    assert len(theirs) == len(set(theirs))
    assert not ASSIGNED & set(theirs), "a rule would take a code of the standard away"
    assert all(is_known_code(code) for code in ours)
    assert not ours & set(theirs)
    assert set(CONTINENT_OF) == ASSIGNED | ours
    assert set(SOVEREIGN_OF.values()) == set(SOVEREIGNS)
    assert not set(SOVEREIGN_OF) & set(SOVEREIGNS), "a territory of a territory"
    assert all(SOVEREIGN_OF[t.code] == t.sovereign for t in TERRITORIES)
    assert ours >= DISPUTED_CODES
    boxes = [(t, shapely.box(*box)) for t in TERRITORIES for box in t.boxes]
    meeting = [(a.code, b.code) for a, one in boxes for b, other in boxes if a is not b and one.intersects(other)]
    assert all(SOVEREIGN_OF[a] != SOVEREIGN_OF[b] for a, b in meeting), meeting
    assert rule_of("FRA") is None


def test_the_guide_shows_every_rule_and_every_territory() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE))
    for rule in CODE_RULES:
        ours = f"`{rule.ours}`" if rule.ours else "no country"
        assert (", ".join(f"`{code}`" for code in rule.theirs), rule.name, ours, rule.reason) in rows
    for territory in TERRITORIES:
        assert f"`{territory.code}`" in text


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("FRA", True),
        ("XKX", True),
        ("AAB", True),
        ("QMA", True),
        ("ZZZ", True),
        ("QLA", False),
        ("GER", False),
        ("", False),
    ],
)
def test_codes_of_the_users_own_are_known(code: str, known: bool) -> None:
    assert is_known_code(code) is known
