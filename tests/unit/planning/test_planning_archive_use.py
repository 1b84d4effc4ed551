"""What images in archives need in the settings: exactly that, and nothing once it stands there."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.files.images import Asset, Image
from minemap_assets.lake.store import LocalStore
from minemap_assets.planning.archive_use import ArchiveUse, archive_use
from minemap_assets.project.project import Project
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.project.settings_changes import change_settings, changed
from projects import SECTIONS, home_at

NICFI, L2A, L1C = "planet-nicfi", "sentinel-2-l2a", "sentinel-2-l1c"
RGB, RGBN = ("blue", "green", "red"), ("blue", "green", "red", "nir")
SIX = (*RGBN, "swir16", "swir22")
HERE, THERE = shapely.box(0, 0, 1, 1), shapely.box(5, 5, 6, 6)
RULE = [{"product": NICFI, "until": 2024}, {"product": L2A, "from": 2025}]
SWAP = f"""\
[imagery]
products = [{{ product = "{NICFI}", until = 2024 }}, {{ product = "{L2A}", from = 2025 }}]
"""
SWAPPED = f'{SWAP}[imagery.sources]\n{L2A} = ["archive"]\n'
"""The settings of a project that goes on with Sentinel-2 where its basemaps end."""


def image(product: str, when: int | str, bands: Sequence[str] = SIX, where: BaseGeometry = HERE) -> Image:
    """An image of a day, or a mosaic of a year."""
    start = date(when, 1, 1) if isinstance(when, int) else date.fromisoformat(when)
    return Image(
        id=f"{product}-{when}",
        product=product,
        start=start,
        end=date(when, 12, 31) if isinstance(when, int) else start,
        year=when if isinstance(when, int) else None,
        crs="EPSG:4326",
        terms="",
        redistributable=True,
        revision="r",
        assets=tuple(Asset(band=b, href="a.tif", index=i, scale=1e-4) for i, b in enumerate(bands, 1)),
        footprint=where.wkt,
    )


def project_of(folder: Path, text: str = "", *regions: Region) -> Project:
    store = LocalStore(folder / "lake")
    store.write_bytes(SETTINGS_PATH, text.encode())
    store.write_bytes(REGIONS_PATH, write_regions(regions))
    return home_at(folder / "lake", folder / "state").open()


def with_values(folder: Path, values: Mapping[str, object]) -> Project:
    home = home_at(folder / "lake", folder / "state")
    change_settings(home, values)
    return home.open()


def use_of(project: Project, *images: Image, others: Sequence[Image] = ()) -> ArchiveUse:
    return archive_use(project, images, [*others, *images])


FULL = [image(NICFI, 2019, RGBN), image(L2A, "2019-07-15"), image(L2A, "2025-07-15")]


@pytest.mark.parametrize(
    ("text", "images", "years", "values"),
    [
        (SWAPPED, FULL, (2019, 2025), {}),
        ("", [image(L2A, 2019)], (2019,), {f"imagery.sources.{L2A}": ["archive", "stac"]}),
        (
            SWAPPED,
            [image(L1C, 2016, RGB), image(L1C, 2017, RGB), image(L1C, 2020, RGB)],
            (2016, 2017, 2020),
            {
                "imagery.products": [
                    {"product": L1C, "from": 2016, "until": 2017},
                    {"product": L1C, "from": 2020, "until": 2020},
                    *RULE,
                ],
                f"imagery.bands.{L1C}": list(RGB),
                "chips.bands": list(RGB),
                "imagery.reference_year": 2020,
                "imagery.reference_products": [L1C],
            },
        ),
        (
            f'[imagery]\nproducts = [{{ product = "{L2A}" }}]\nreference_products = ["{L2A}"]\n'
            f'[imagery.sources]\n{L2A} = ["stac"]\n',
            [image(L2A, 2021)],
            (2021,),
            {f"imagery.sources.{L2A}": ["archive", "stac"]},
        ),
        (
            f'[imagery]\nproducts = [{{ product = "{L1C}", from = 2018, until = 2019 }}, {{ product = "{NICFI}" }}]\n'
            f'reference_products = ["{L1C}"]\n',
            [image(L1C, 2019), image(L1C, 2020)],
            (2019, 2020),
            {"imagery.products": [{"product": L1C, "from": 2018, "until": 2020}, {"product": NICFI}]},
        ),
        (
            f'{SWAPPED}[training]\nproducts = ["{NICFI}"]\n',
            [image(L2A, 2019), image(NICFI, 2024, RGBN), image(NICFI, 2019, RGBN), image(L2A, 2025)],
            (2019, 2024, 2025),
            {"training.products": [NICFI, L2A]},
        ),
        (
            SWAPPED,
            [image(NICFI, 2019, RGBN), image(L2A, 2019, RGB)],
            (2019,),
            {f"imagery.bands.{L2A}": list(RGB), "chips.bands": list(RGB)},
        ),
        (
            SWAPPED,
            [image(NICFI, 2015, RGBN), image(L2A, 2019), image(NICFI, 2019, RGBN)],
            (2015, 2019),
            {"first_year": 2015},
        ),
    ],
)
def test_what_is_lacking(
    tmp_path: Path, text: str, images: list[Image], years: tuple[int, ...], values: Mapping[str, object]
) -> None:
    use = use_of(project_of(tmp_path, text), *images)
    assert (use.years, dict(use.values)) == (years, values)
    assert use_of(with_values(tmp_path, use.values), *images).values == {}


def test_a_source_that_is_asked_before_the_archives_is_named(tmp_path: Path) -> None:
    project = project_of(tmp_path, f'{SWAPPED}{NICFI} = ["planet-basemaps", "archive"]\n')
    assert use_of(project, *FULL).before == ("planet-basemaps",)


def test_a_year_has_one_product_and_the_others_images_are_named(tmp_path: Path) -> None:
    use = use_of(project_of(tmp_path, SWAPPED), *FULL)
    assert use.notes == (
        f"the images of {L2A} of 2019 are for comparison only: a year has one product, and {NICFI} has images of it "
        "too",
    )


def test_only_the_regions_that_images_touch_are_mapped_and_trained_on(tmp_path: Path) -> None:
    project = project_of(tmp_path, SWAPPED, Region("here", "Here", HERE), Region("there", "There", THERE))
    use = use_of(project, image(NICFI, 2019, RGBN))
    assert use.regions == ("here",)
    assert use.values == {"imagery.reference_products": [NICFI], "training.regions": ["here"]}
    away = use_of(project, image(NICFI, 2019, RGBN, shapely.box(8, 8, 9, 9)))
    assert (away.years, away.values) == ((), {})
    assert "1 of 1 images lie in no region (here, there), such as planet-nicfi-2019" in away.notes[0]


def test_a_region_has_its_own_season_reference_year_and_rule(tmp_path: Path) -> None:
    winter = Region("here", "Here", HERE, season=(12, 3), reference_year=2021)
    use = use_of(
        project_of(tmp_path / "a", SWAPPED, winter), image(NICFI, "2022-03-09", RGBN), image(NICFI, "2019-07-01")
    )
    assert use.years == (2021,)
    assert "imagery.reference_year" not in use.values
    assert "1 of 2 images are of no season (months 12-3), such as planet-nicfi-2019-07-01" in use.notes[0]
    assert "--season 7-7" in use.notes[0]
    own = Region("here", "Here", HERE, products=({"product": L2A, "from": 2019, "until": 2019},))
    use = use_of(project_of(tmp_path / "b", SWAPPED, own), image(NICFI, 2019, RGBN), image(L2A, 2019))
    assert "region here has a rule of its own, by which 2019 is not made from planet-nicfi" in use.notes[0]
    assert (use.years, use.values) == ((2019,), {})
    use = use_of(project_of(tmp_path / "c", SWAPPED, own), image(NICFI, 2019, RGBN))
    assert (use.years, use.values) == ((), {})


def test_what_no_model_can_learn_is_said(tmp_path: Path) -> None:
    text = SWAPPED.replace("[imagery.sources]", f'reference_products = ["{NICFI}"]\n[imagery.sources]')
    use = use_of(project_of(tmp_path, text), image(L2A, 2025), others=[image(NICFI, 2019, RGBN)])
    assert use.values == {}
    assert use.notes == (
        f"no model can learn {L2A}, because the year to learn from, 2019, has no images of it where {NICFI} has them; "
        "index images of it of that year too",
    )


IMAGES = st.lists(
    st.builds(
        image,
        st.sampled_from([NICFI, L2A, L1C]),
        st.one_of(st.integers(2015, 2026), st.dates(date(2016, 1, 1), date(2026, 11, 1)).map(str)),
        st.sampled_from([RGB, RGBN]),
    ),
    min_size=1,
    max_size=6,
)
RULES = st.sampled_from(
    ["", f'[imagery]\nproducts = [{{ product = "{L1C}", until = 2020 }}, {{ product = "{L2A}" }}]\n']
)


def product_or_none(project: Project, year: int) -> Any:
    try:
        return project.section(ImageryConfig).product_for(year)
    except BadInputError:
        return None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(IMAGES, RULES)
def test_once_it_stands_there_every_year_of_the_images_is_theirs_and_no_other_has_changed(
    tmp_path: Path, images: list[Image], text: str
) -> None:
    before = project_of(tmp_path, text)
    use = use_of(before, *images)
    after = project_of(tmp_path, changed(text, use.values, SECTIONS, "the file"))
    again = use_of(after, *images)
    assert (again.values, again.years) == ({}, use.years)
    seasons = {year: {i.product for i in images if i.year == year} for year in range(2015, 2027)}
    for year in range(2015, 2027):
        if year in use.years:
            config = after.section(ImageryConfig)
            assert "archive" in config.sources[config.product_for(year)]
            assert not seasons[year] or config.product_for(year) in {i.product for i in images}
        else:
            assert not seasons[year]
            assert product_or_none(after, year) == product_or_none(before, year)
