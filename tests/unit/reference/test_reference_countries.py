"""Files of countries as they are registered: good ones pass without a word, and the codes are those of the standard."""

import os
from pathlib import Path

import pytest

from minemap_assets.geo.vector_files import read_vector
from minemap_assets.reference.boundaries import check_countries
from minemap_assets.reference.country_codes import ASSIGNED, is_known_code, is_written_as_code


@pytest.fixture
def natural_earth() -> Path:
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        pytest.skip("MINEMAP_TEST_DATA is not set")
    return Path(folder) / "natural-earth"


@pytest.mark.parametrize("name", ["ne_50m/ne_50m_admin_0_countries.shp", "countries-50m.json"])
def test_a_good_file_is_not_doubted(natural_earth: Path, name: str) -> None:
    assert check_countries(read_vector(natural_earth / name, crs="EPSG:4326", known_layers=("countries",))) == ()


def test_the_codes_are_those_of_the_standard(natural_earth: Path) -> None:
    given = set(read_vector(natural_earth / "ne_50m/ne_50m_admin_0_countries.shp")["ISO_A3_EH"])
    assert given - ASSIGNED == {"-99"}
    assert len(ASSIGNED) == 249
    assert all(is_written_as_code(code) for code in ASSIGNED)


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
