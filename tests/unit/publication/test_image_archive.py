"""The images of a site are found by region and year, and years without one are left out."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from minemap_assets.publication.image_archive import ImageArchive


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> ImageArchive:
    held = {("r", 2018): ["a", "b"], ("r", 2019): ["b"], ("other", 2020): ["a"]}
    opened: list[Any] = []

    def opening(part: list[str]) -> Any:
        assert part not in opened, "an index is read once"
        opened.append(part)
        index = pd.DataFrame({"site_id": part, "redistributable": [site == "b" for site in part]})
        return SimpleNamespace(index=index, site_ids=tuple(part), read=lambda site: f"pixels of {site}")

    monkeypatch.setattr("minemap_assets.publication.image_archive.by_region_and_year", lambda *_: held)
    monkeypatch.setattr("minemap_assets.publication.image_archive.open_imagery", opening)
    return ImageArchive(SimpleNamespace())  # type: ignore[arg-type]


def test_a_site_has_the_years_of_its_own_region(archive: ImageArchive) -> None:
    assert archive.years == (2018, 2019, 2020)
    assert archive.years_of("r", "a") == (2018,)
    assert archive.years_of("r", "b") == (2018, 2019)
    assert archive.years_of("nowhere", "a") == ()


def test_a_row_says_whether_its_pixels_may_be_passed_on(archive: ImageArchive) -> None:
    assert archive.entry("r", "b", 2019) == {"site_id": "b", "redistributable": True}
    assert [archive.redistributable("r", site, 2018) for site in ("a", "b")] == [False, True]
    assert archive.read("r", "b", 2019) == "pixels of b"
