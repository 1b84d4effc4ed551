"""Mines through all years: when they began and ended, what happened to them, and that old years stay as they are."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import areas_km2
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.correction_file import Correction
from minemap_assets.polygons.history import build_site_history
from minemap_assets.polygons.history_chain import SiteSeries, follow
from minemap_assets.polygons.history_drawing import history_picture
from minemap_assets.polygons.history_schemas import MINE_YEARS, SITE_HISTORY
from minemap_assets.polygons.raw import mask_facts
from minemap_assets.polygons.schemas import read_table
from minemap_assets.polygons.temporal.hmm import Chances

PIXEL_KM2 = 25e-6
YEARS = range(2016, 2024)


def observed(masks) -> pd.DataFrame:
    """What `site_observation` says of the masks of a year."""
    shares = {site: row["observed_fraction"] for site, row in mask_facts(masks).items()}
    return pd.DataFrame({"site_id": list(shares), "threshold": 0.5, "window_share": list(shares.values())})


def history(world, years=YEARS, corrections=(), **settings):
    config = PolygonsConfig(**settings)
    masks = {year: world.written[year] for year in years}
    seen = {year: observed(masks[year]) for year in years}
    made = world.publish(
        "site_history",
        lambda writer: build_site_history(
            world.region, world.cells, masks, seen, config, writer, first_year=2016, corrections=corrections
        ),
        max(years, default=2016),
    )
    tables = [read_table(made.file(spec.file), spec) for spec in (SITE_HISTORY, MINE_YEARS)]
    return tables[0].set_index("mine_id", drop=False), tables[1], made


def box(mask: np.ndarray, rows: tuple[int, int], columns: tuple[int, int], value: int = 252) -> None:
    mask[slice(*rows), slice(*columns)] = value


def draw(world, shown: Mapping[int, Mapping[str, list]], hidden=(), missing=()) -> None:
    """Masks of all years: boxes (rows, columns) by year and site, on ground that is otherwise unlike a mine."""
    for year in YEARS:
        stored = {site: world.blank(8) for site in world.grids if (site, year) not in missing}
        for site, boxes in shown.get(year, {}).items():
            for rows, columns in boxes:
                if site in stored:
                    box(stored[site], rows, columns)
        for site, in_year in hidden:
            if in_year == year:
                stored[site][:] = 255
        world.masks(year, stored)


OLD = ((5, 15), (2, 12))
GREW = ((5, 20), (2, 12))
NEW = ((40, 50), (4, 14))
NEAR = ((20, 26), (2, 12))


@pytest.fixture
def mined(world):
    """Site a: a mine that was always there and grows in 2019; one from 2019 to 2021; a flicker in 2018. In 2020 nothing
    was observed, and in 2018 b had no image.
    """
    shown = {year: {"a": [OLD if year < 2019 else GREW]} for year in YEARS}
    for year in (2019, 2020, 2021):
        shown[year]["a"].append(NEW)
    shown[2018]["a"].append(((55, 62), (20, 27)))
    draw(world, shown, hidden=[("a", 2020)], missing=[("b", 2018)])
    return world


def events(rows: pd.DataFrame, mine_id: str) -> dict[int, str]:
    own = rows[rows["mine_id"] == mine_id]
    return dict(zip(own["year"].tolist(), own["event"].tolist(), strict=True))


def test_first_and_last_year_events_and_areas(mined) -> None:
    mines, rows, made = history(mined)
    assert len(mines) == made.manifest.summary["rows"] == 2
    assert history_picture(made, mined.sites)[8:12] == b"WEBP"
    old, new = mines.sort_values("first_year").itertuples()
    assert (old.first_year, old.last_year, bool(old.still_visible), old.peak_year) == (2016, 2023, True, 2019)
    assert pd.isna(old.first_year_low)
    assert (new.first_year, new.last_year, bool(new.still_visible)) == (2019, 2021, False)
    assert (new.first_year_low, new.first_year_high) == (2019, 2019)
    assert min(old.first_year_posterior, new.first_year_posterior, new.last_year_posterior) > 0.9
    assert events(rows, old.Index) == {
        2016: "present",
        2017: "unchanged",
        2018: "unchanged",
        2019: "expanded",
        2020: "not observed",
        2021: "unchanged",
        2022: "unchanged",
        2023: "unchanged",
    }
    assert [events(rows, new.Index)[year] for year in (2018, 2019, 2020, 2021, 2022, 2023)] == [
        "unchanged",
        "appeared",
        "not observed",
        "unchanged",
        "no longer visible",
        "unchanged",
    ]
    own = rows[rows["mine_id"] == old.Index].set_index("year")
    assert own.at[2018, "area_km2"] == pytest.approx(100 * PIXEL_KM2, rel=2e-3)
    assert own.at[2019, "change_km2"] == pytest.approx(50 * PIXEL_KM2, rel=2e-3)
    assert own.at[2019, "gained_km2"] == pytest.approx(50 * PIXEL_KM2, rel=0.1)
    assert own.at[2019, "change_posterior"] > 0.95
    assert pd.isna(own.at[2020, "area_km2"])
    assert own.at[2020, "observed_share"] == 0.0
    assert own.at[2021, "expected_km2"] == pytest.approx(own.at[2021, "area_km2"], rel=0.05)
    assert old.years_observed == 7
    assert mines["ever_mined_km2"].to_numpy() == pytest.approx(areas_km2(mines.geometry), rel=1e-3)
    assert dict(own["status"]) == {y: "provisional" if y > 2021 else "final" for y in YEARS}


def test_a_mine_on_two_sites_is_one(world) -> None:
    shown = {year: {"a": [((20, 32), (20, 60))], "b": [((20, 32), (0, 28))]} for year in YEARS}
    draw(world, shown)
    mines, rows, _ = history(world)
    (mine,) = mines.itertuples()
    assert list(mine.site_ids) == ["a", "b"]
    assert mine.ever_mined_km2 == pytest.approx(12 * 40 * PIXEL_KM2, rel=2e-3)
    assert set(rows["event"]) == {"present", "unchanged"}


def test_a_further_year_keeps_ids_and_old_rows(mined) -> None:
    """The last years bring the ground between the two mines: they become one, under the elder's id."""
    for year in (2022, 2023):
        stored = {"a": mined.blank(8), "b": mined.blank(8)}
        box(stored["a"], (5, 50), (2, 12))
        mined.masks(year, stored)
    known: dict[str, int] = {}
    before = pd.DataFrame(columns=list(MINE_YEARS.names))
    compared = 0
    for last in range(2018, 2024):
        mines, rows, _ = history(mined, range(2016, last + 1))
        for name, first in known.items():  # known for good: what is provisional may still go
            assert name in mines.index or any(name in taken for taken in mines["merged_ids"])
            assert name not in mines.index or mines.at[name, "first_year"] == first
        known |= mines.loc[mines["status"] == "final", "first_year"].to_dict()
        alone = mines.index[mines["merged_ids"].map(len) == 0]
        then = before[before["mine_id"].isin(alone)].reset_index(drop=True)
        now = then[["mine_id", "year"]].merge(rows, how="left")[list(MINE_YEARS.names)]
        pd.testing.assert_frame_equal(now, then, check_dtype=False, rtol=1e-9)
        before, compared = rows[rows["status"] == "final"], compared + len(then)
    assert compared >= 6
    assert before["year"].max() == 2021
    (mine,) = mines.itertuples()
    assert mine.Index == min(known, key=lambda name: known[name])
    assert list(mine.merged_ids) == [name for name in known if name != mine.Index]


def test_old_years_of_the_chain_do_not_move_once_their_window_is_complete() -> None:
    rng = np.random.default_rng(5)
    stored = {year: rng.integers(0, 256, (40, 40)).astype(np.uint8) for year in range(2000, 2012)}
    chances = Chances(0.04, 0.1)

    def chain(last: int):
        some = {y: s for y, s in stored.items() if y <= last}
        series = SiteSeries(some, dict.fromkeys(some, 0.5), dict.fromkeys(some, 1.0), np.ones((40, 40), dtype=bool))
        found = follow(series, range(2000, last + 1), chances, 2)
        full = np.zeros((last - 1999, 1600), dtype=bool)
        full[:, found.index] = found.mined
        return full

    before, after = chain(2010), chain(2011)
    assert np.array_equal(before[:9], after[:9])
    assert not np.array_equal(before[9:], after[9:11])


def test_without_masks_or_with_masks_of_another_size(world) -> None:
    with pytest.raises(BadInputError, match="has no raw masks of any year"):
        history(world, range(0))
    draw(world, {})
    mines, rows, made = history(world)
    assert (len(mines), len(rows)) == (0, 0)
    assert history_picture(made, world.sites)[8:12] == b"WEBP"


def test_a_mine_that_a_person_rejected_in_all_its_years_has_no_history(mined) -> None:
    mines = history(mined)[0].sort_values("first_year")
    assert len(mines) > 1
    wrong = mines.iloc[-1]
    rejection = Correction(1, "reject", "A. Person", "2026-01-02", "a pond", wrong.geometry.buffer(1e-5))
    left, years, made = history(mined, corrections=(rejection,))
    assert set(left.index) == set(mines.index) - {wrong.name}
    assert wrong.name not in set(years["mine_id"])
    assert made.manifest.summary["rejected"] == 1
    once = replace(rejection, years=(int(wrong["first_year"]),))
    assert set(history(mined, corrections=(once,))[0].index) == set(mines.index)
