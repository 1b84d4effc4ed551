"""When a year that is not over counts as begun: its season has ended somewhere, or the lake holds images of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely

from dagster_project.environment import Environment
from dagster_project.registry import home_of
from minemap_assets.imagery.assets import COMPOSITES, has_imagery
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions

THIS_YEAR = datetime.now(UTC).year
LATER = THIS_YEAR + 2


def project(folder: Path, *seasons: tuple[int, int] | None, retired: bool = False) -> Project:
    home = home_of(Environment(home=str(folder / "lake"), state=folder / "state"))
    square = shapely.box(0, 0, 1, 1)
    regions = [Region(f"r{n}", "R", square, season=season, retired=retired) for n, season in enumerate(seasons)]
    home.lake.store.write_bytes(REGIONS_PATH, write_regions(regions))
    return home.open()


def test_a_year_begins_with_the_end_of_the_first_season(tmp_path: Path) -> None:
    ended, running = THIS_YEAR - 1, LATER
    assert has_imagery(project(tmp_path / "a", None), ended)
    assert not has_imagery(project(tmp_path / "b", None, (1, 1)), running)


def test_a_season_across_new_year_ends_in_the_next_one(tmp_path: Path) -> None:
    """Nowhere in this year is a season over that begins in its December."""
    assert not has_imagery(project(tmp_path / "a", (12, 11)), THIS_YEAR)
    assert has_imagery(project(tmp_path / "b", (12, 11), (1, 1)), THIS_YEAR) == (datetime.now(UTC).month > 1)


def test_images_that_are_there_make_it_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project(tmp_path, None)
    assert not has_imagery(found, LATER)
    held = COMPOSITES.ref(("r0", str(LATER)))
    monkeypatch.setattr(Lake, "manifest", lambda _, ref: "there" if ref == held else None)
    assert has_imagery(found, LATER)
    assert not has_imagery(found, LATER + 1)


def test_nothing_begins_without_a_region(tmp_path: Path) -> None:
    assert not has_imagery(project(tmp_path, None, retired=True), THIS_YEAR - 1)
    assert PartitionRef("imagery", "imagery", ("r0", "1")) == COMPOSITES.ref(("r0", "1"))
