"""What was not observed is never told as zero, and what lies in several regions is counted once."""

from collections.abc import Mapping
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from dagster_project.runner import State
from gaps import Gaps, Place, place
from minemap_assets.errors import RetryableError
from minemap_assets.geo.raster import read_raster
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.reference.registration import register
from minemap_assets.simulation.built_in_worlds import ALDER, BIRCH
from minemap_assets.sites.windows import iter_sites
from tiny import YEARS, Chain, assets

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FIRST, YEAR, LAST = YEARS
NOT_OBSERVED = 255
YEARLY = (
    "imagery/imagery",
    "chips/chips",
    "segmentation/raw_masks",
    "polygons/raw_polygons",
    "polygons/mining_polygons",
)
"""Assets by region and year."""


def sites(chain: Chain, region: str) -> dict[str, Place]:
    """Window of every site, with the middle year."""
    return {
        s.site_id: place(s.grid, YEAR) for s in iter_sites(chain.frame("sites", "sites", region, file="sites.parquet"))
    }


def panel(chain: Chain, year: int) -> pd.DataFrame:
    return chain.table("site_panel", year).set_index("site_id")


def countries(chain: Chain, year: int) -> pd.DataFrame:
    return chain.table("country_summary", year).set_index("iso3")


def at(place_: Place, year: int) -> Place:
    return place_[0], year


def forget(chain: Chain, region: str, year: int) -> None:
    """Remove what was made of a region and year."""
    store = chain.project.lake.store
    for asset in YEARLY:
        for name in list(store.list(f"{asset}/{region}/{year}")):
            store.delete(name)


@pytest.fixture(scope="module")
def removed(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> tuple[Chain, str]:
    """One site of the first region has no image in the middle year."""
    gone, where = next(iter(sites(finished, ALDER).items()))
    gaps = Gaps(uncovered={where})
    chain = finished.copied(tmp_path_factory.mktemp("removed") / "copy", gaps.registry())
    forget(chain, ALDER, YEAR)
    report = chain.run()
    assert not report.failures
    assert not assets(report, State.MADE) & {"reference_imagery", "segmentation_model", "promoted_model"}
    return chain, gone


def test_a_site_without_an_image_has_no_area_and_takes_none_from_the_others(
    finished: Chain, removed: tuple[Chain, str]
) -> None:
    chain, gone = removed
    before, after = panel(finished, YEAR), panel(chain, YEAR)
    assert list(after.index) == list(before.index)
    assert pd.isna(after.loc[gone, "area_km2"])
    assert after.loc[gone, "observed_share"] == 0.0
    others = before.index.drop(gone)
    pd.testing.assert_frame_equal(after.loc[others], before.loc[others])
    missing = {
        room: {m.item: m.reason for m in chain.open(room, asset, ALDER, str(YEAR)).manifest.missing}
        for room, asset in (("imagery", "imagery"), ("chips", "chips"), ("segmentation", "raw_masks"))
    }
    assert missing == {room: {gone: "simulated: nobody has looked there"} for room in missing}


def test_an_unseen_year_is_no_evidence_against_the_years_around(finished: Chain, removed: tuple[Chain, str]) -> None:
    """Read as ground without mines, it would leave nothing of the first year, which has no other neighbour before."""
    chain, gone = removed
    assert panel(chain, FIRST).loc[gone, "area_km2"] > 0.8 * panel(finished, FIRST).loc[gone, "area_km2"] > 0.0


def test_summaries_cover_less_and_add_up(finished: Chain, removed: tuple[Chain, str]) -> None:
    chain, gone = removed
    before, after = countries(finished, YEAR), countries(chain, YEAR)
    code = panel(finished, YEAR).loc[gone, "country_iso3"]
    assert after.loc[code, "sites_expected"] == before.loc[code, "sites_expected"]
    assert after.loc[code, "sites_observed"] == before.loc[code, "sites_observed"] - 1
    assert after.loc[code, "covered_share"] == pytest.approx(before.loc[code, "covered_share"] / 2, abs=0.01)
    for year in YEARS:
        total = chain.table("polygons", year)["area_km2"].sum()
        assert countries(chain, year)["area_km2"].sum() == pytest.approx(total, abs=1e-9)
        assert panel(chain, year)["area_km2"].sum() == pytest.approx(total, abs=1e-9)


def test_a_year_that_nobody_saw_has_no_areas_at_all(finished: Chain, tmp_path: Path) -> None:
    gaps = Gaps(uncovered={at(p, LAST) for region in (ALDER, BIRCH) for p in sites(finished, region).values()})
    chain = finished.copied(tmp_path / "copy", gaps.registry())
    for region in (ALDER, BIRCH):
        forget(chain, region, LAST)
    report = chain.run(years=(LAST,))
    assert {str(f.ref) for f in report.failures} == {f"imagery[{region}|{LAST}]" for region in (ALDER, BIRCH)}
    assert "nobody has looked there" in report.failures[0].reason
    assert panel(chain, LAST)["area_km2"].isna().all()
    assert set(panel(chain, LAST)["status"]) == {"missing"}
    rows = countries(chain, LAST)
    assert rows[["area_km2", "polygons"]].isna().all(axis=None)
    assert (rows["covered_share"].dropna() == 0.0).all()
    regions = chain.table("region_summary", LAST)
    assert regions["area_km2"].isna().all()
    assert set(regions["status"]) == {"missing"}
    with duckdb.connect(str(chain.folder / "state" / "minemap.duckdb"), read_only=True) as database:
        totals = database.execute("SELECT year, area_km2 FROM yearly_totals ORDER BY year").fetchall()
    assert [(year, area is None) for year, area in totals] == [(FIRST, False), (YEAR, False), (LAST, True)]


def test_masks_keep_what_was_not_observed_apart_from_what_is_no_mine(finished: Chain, tmp_path: Path) -> None:
    half, where = next(iter(sites(finished, ALDER).items()))
    whole = read_raster(finished.open("segmentation", "raw_masks", ALDER, str(YEAR)).file(f"{half}.tif")).pixels[0]
    mined = (whole >= 128) & (whole != NOT_OBSERVED)
    # the western half of the mine
    share = int(np.ceil(100 * np.median(np.nonzero(mined)[1]) / whole.shape[1]))
    gaps = Gaps(unseen={where: slice(0, share)})
    chain = finished.copied(tmp_path / "copy", gaps.registry())
    forget(chain, ALDER, YEAR)
    assert not chain.run(years=(YEAR,)).failures
    stored = read_raster(chain.open("segmentation", "raw_masks", ALDER, str(YEAR)).file(f"{half}.tif")).pixels[0]
    border = stored.shape[1] * share // 100
    assert (stored[:, :border] == NOT_OBSERVED).all()
    assert np.array_equal(stored[:, border:] == NOT_OBSERVED, whole[:, border:] == NOT_OBSERVED)
    assert (stored[:, border:] < 128).any()
    before, after = panel(finished, YEAR), panel(chain, YEAR)
    assert 0.0 < after.loc[half, "observed_share"] < before.loc[half, "observed_share"]
    assert 0 < ((stored >= 128) & (stored != NOT_OBSERVED)).sum() < 0.6 * mined.sum()
    # the years before and after tell of the ground that this one did not see
    assert after.loc[half, "area_km2"] == pytest.approx(before.loc[half, "area_km2"], rel=0.1)
    assert countries(chain, YEAR)["covered_share"].min() < countries(finished, YEAR)["covered_share"].min()


def test_a_failed_site_is_named_and_alone_asked_for_again(finished: Chain, tmp_path: Path) -> None:
    late, where = next(iter(sites(finished, ALDER).items()))
    gaps = Gaps(failing={where: RetryableError("the service is overloaded")})
    chain = finished.copied(tmp_path / "copy", gaps.registry())
    forget(chain, ALDER, YEAR)
    report = chain.run()
    assert [str(f.ref) for f in report.failures] == [f"imagery[{ALDER}|{YEAR}]"]
    assert f"covers_sites failed: 1 of 2 sites are at least 50% clear; failed: {late}" in report.failures[0].reason
    assert {r.ref.asset for r in report.results if r.state is State.BLOCKED} == {
        "chips",
        "raw_masks",
        "raw_polygons",
        "mining_polygons",
    }
    assert panel(chain, YEAR)["status"].eq("missing").sum() == 2
    assert sorted(set(gaps.asked)) == sorted(sites(finished, ALDER).values())

    gaps.asked.clear()
    again = chain.run(select="chips,raw_masks")
    assert "check covers_sites failed" in again.failures[0].reason
    assert not assets(again, State.MADE)

    gaps.failing.clear()
    assert not chain.run().failures
    assert gaps.asked == [where]
    assert chain.contents() == finished.contents()


def test_a_cloudy_site_is_not_observed_and_the_others_go_on(finished: Chain, tmp_path: Path) -> None:
    """Where no site may be lost, the region and year waits for a person instead, and not for a second run."""
    cloudy, where = next(iter(sites(finished, ALDER).items()))
    gaps = Gaps(unseen={where: slice(0, 60)})
    chain = finished.copied(tmp_path / "copy", gaps.registry())
    forget(chain, ALDER, YEAR)
    assert not chain.run(years=(YEAR,)).failures
    reason = "40% of its window was seen clear of cloud, below the 50% that [imagery] min_clear_fraction asks for"
    for room, asset in (("imagery", "imagery"), ("chips", "chips"), ("segmentation", "raw_masks")):
        (missing,) = chain.open(room, asset, ALDER, str(YEAR)).manifest.missing
        assert missing.item == cloudy
        assert missing.reason == reason
    row = panel(chain, YEAR).loc[cloudy]
    assert row["observed_share"] == 0.0
    assert pd.isna(row["area_km2"])

    chain.change("[imagery]", "[imagery]\nmax_unobserved_share = 0.0")
    for _ in range(2):
        report = chain.run(years=(YEAR,))
        assert [str(f.ref) for f in report.failures] == [f"imagery[{ALDER}|{YEAR}]"]
        assert f"too cloudy: {cloudy} ([imagery] min_clear_fraction sets the limit)" in report.failures[0].reason
        assert "1 of 2 sites are not observed, more than [imagery] max_unobserved_share" in report.failures[0].reason
    chain.change("[imagery]", "[imagery]\nmin_clear_fraction = 0.3")
    assert not chain.run(years=(YEAR,)).failures
    assert 0.0 < panel(chain, YEAR).loc[cloudy, "observed_share"] < 0.5


def with_regions(chain: Chain, extra: Mapping[str, Region]) -> None:
    known = chain.project.regions
    chain.project.lake.store.write_bytes(REGIONS_PATH, write_regions([*known.values(), *extra.values()]))


def test_ground_of_two_regions_counts_once(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    shared, _ = next(iter(sites(finished, ALDER).items()))
    frame = finished.frame("sites", "sites", ALDER, file="sites.parquet").set_index("site_id")
    inside = frame.loc[shared, "geometry"].intersection(chain.project.region(ALDER).geometry)
    twin = Region("aa-twin", "Twin", inside, None, (), None, False)
    with_regions(chain, {twin.slug: twin})
    chain.change("[segmentation]", f'[training]\nregions = ["{ALDER}", "{BIRCH}"]\n\n[segmentation]')
    report = chain.run()
    assert not report.failures
    assert assets(report, State.MADE) & {"segmentation_model", "promoted_model"} == set()
    for year in YEARS:
        regions = chain.table("region_summary", year).set_index("region")
        assert regions.loc["aa-twin", "area_km2"] > 0.0
        assert regions["area_km2"].sum() > countries(chain, year)["area_km2"].sum() + 0.1
        assert panel(chain, year).index.is_unique
        assert panel(chain, year).loc[shared, "region"] == "aa-twin"
        pd.testing.assert_series_equal(
            countries(chain, year)["area_km2"], countries(finished, year)["area_km2"], rtol=1e-6, atol=1e-6
        )
        assert panel(chain, year)["area_km2"].sum() == pytest.approx(countries(chain, year)["area_km2"].sum(), rel=1e-6)


def test_ground_of_no_country_is_unassigned_and_stays_in_the_total(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    frame = finished.frame("reference", "country_boundaries", file="boundaries.parquet")
    kept = frame[frame["iso3"] == frame["iso3"].min()]
    kept.to_file(tmp_path / "one.geojson", driver="GeoJSON")
    register(
        chain.project.lake.store,
        tmp_path / "one.geojson",
        name="country_boundaries",
        kind="boundaries",
        licence="CC0-1.0",
    )
    # the mines of the other country lie close to the border
    chain.change("[segmentation]", "[polygons]\nborder_tolerance_km = 0.0\n\n[segmentation]")
    assert not chain.run().failures
    for year in YEARS:
        rows = countries(chain, year)
        assert set(rows.index) == {"", frame["iso3"].min()}
        assert rows.loc["", "name"] == "unassigned"
        assert rows.loc["", "area_km2"] > 0.01
        assert rows["area_km2"].sum() == pytest.approx(chain.table("polygons", year)["area_km2"].sum(), abs=1e-9)
