"""Ground that changed between two states drawn by hand: where, how much, and why."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84, areas_km2, write_geoparquet
from minemap_assets.polygons.correction_file import Correction
from minemap_assets.publication.releases.comparison import Comparison, compare
from minemap_assets.publication.releases.lineage import Made
from minemap_assets.publication.releases.published import Published

REGION = shapely.box(0.0, 0.0, 1.0, 1.0)


def box(west: float, east: float, north: float = 0.01) -> shapely.Polygon:
    return shapely.box(west, 0.0, east, north)


def km2(*grounds: shapely.Geometry) -> float:
    return float(areas_km2(gpd.GeoSeries(list(grounds), crs=WGS84)).sum())


class Drawing:
    """States of a project as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def state(
        self,
        polygons: Mapping[str, list[shapely.Geometry]],
        masks: Mapping[str, str] | None = None,
        *,
        region: shapely.Geometry = REGION,
        corrections: tuple[Correction, ...] = (),
        years: tuple[int, ...] = (2019,),
    ) -> Published:
        """One region `north`: outlines by site, the same in all years, and the checksums of the sites' masks."""
        self.count += 1
        folder = self.folder / str(self.count)
        sites = [site for site, outlines in polygons.items() for _ in outlines]
        shapes = [one for outlines in polygons.values() for one in outlines]
        for year in years:
            frame = {"site_ids": [[site] for site in sites], "region": "north", "year": year}
            frame |= {"area_km2": areas_km2(gpd.GeoSeries(shapes, crs=WGS84))}
            self.write(folder, "polygons", year, gpd.GeoDataFrame(frame, geometry=shapes, crs=WGS84))
            self.write(folder, "site_panel", year, pd.DataFrame({"site_id": sorted(polygons)}))
        made = {name: Made("", "1", {}, {}, {}) for name in ("sites[north]", "owned_ground[north]")}
        for year in years:
            held = {f"{site}.tif": sha for site, sha in (masks or {}).items()}
            images = {name: f"image behind {sha}" for name, sha in held.items()}
            made |= {f"polygons[{year}]": Made("", "1", {}, {}, {}), f"site_panel[{year}]": Made("", "1", {}, {}, {})}
            made |= {f"imagery[north|{year}]": Made(str(held), "1", {}, {}, images)}
            made |= {f"raw_masks[north|{year}]": Made(str(held), "1", {}, {}, held)}
            made |= {f"mining_polygons[north|{year}]": Made(f"{self.count}", "1", {}, {}, {})}

        def file(table: str, of: int, name: str) -> Path:
            return folder / table / str(of) / name

        return Published(str(self.count), made, corrections, {"north": region}, file)

    def write(self, folder: Path, table: str, year: int, frame: pd.DataFrame) -> None:
        path = folder / table / str(year) / f"{table}.parquet"
        path.parent.mkdir(parents=True)
        if isinstance(frame, gpd.GeoDataFrame):
            write_geoparquet(frame, path)
        else:
            frame.to_parquet(path)


@pytest.fixture
def drawing(tmp_path: Path) -> Drawing:
    return Drawing(tmp_path)


def correction(ground: shapely.Polygon, years: tuple[int, ...] = ()) -> Correction:
    return Correction(1, "reject", "somebody", "2026-01-01", "a pond", ground, years)


def told(found: Comparison) -> list[tuple[str, str, str]]:
    return [(row.site, row.change, row.cause) for row in found.changes.itertuples()]


def test_the_same_ground_has_not_changed(drawing: Drawing) -> None:
    one, other = (drawing.state({"a": [box(0.1, 0.2)]}, {"a": "mask"}) for _ in range(2))
    found = compare(one, other)
    assert found.changes.empty
    assert found.sums("cause").empty
    assert found.km2[0] == found.km2[1] == pytest.approx(km2(box(0.1, 0.2)))


def test_ground_is_gained_and_lost_where_a_mask_changed(drawing: Drawing) -> None:
    before = drawing.state({"a": [box(0.1, 0.2)], "b": [box(0.5, 0.6)]}, {"a": "mask", "b": "mask"})
    after = drawing.state({"a": [box(0.15, 0.3)], "b": [box(0.5, 0.6)]}, {"a": "other", "b": "mask"})
    found = compare(before, after)
    assert told(found) == [("a", "gained", "imagery"), ("a", "lost", "imagery")]
    assert found.changes["km2"].tolist() == pytest.approx([km2(box(0.2, 0.3)), km2(box(0.1, 0.15))])
    assert found.changes[["region", "year"]].drop_duplicates().to_numpy().tolist() == [["north", 2019]]


def test_a_site_of_one_state_only_is_ground_truth(drawing: Drawing) -> None:
    before = drawing.state({"a": [box(0.1, 0.2)]}, {"a": "mask"})
    after = drawing.state({"a": [box(0.1, 0.2)], "b": [box(0.5, 0.6)]}, {"a": "mask", "b": "mask"})
    assert told(compare(before, after)) == [("b", "gained", "ground truth")]
    assert told(compare(after, before)) == [("b", "lost", "ground truth")]


def test_a_rejected_polygon_goes_whole_by_its_correction(drawing: Drawing) -> None:
    before = drawing.state({"a": [box(0.1, 0.2)]}, {"a": "mask"})
    after = drawing.state({"a": []}, {"a": "other"}, corrections=(correction(box(0.1, 0.18)),))
    found = compare(before, after)
    assert told(found) == [("a", "lost", "corrections")]
    assert found.changes["km2"].sum() == pytest.approx(km2(box(0.1, 0.2)))


def test_ground_that_a_correction_cuts_is_told_from_the_rest(drawing: Drawing) -> None:
    before = drawing.state({"a": [box(0.1, 0.3)]}, {"a": "mask"})
    after = drawing.state({"a": [box(0.12, 0.28)]}, {"a": "other"}, corrections=(correction(box(0.28, 0.4)),))
    found = compare(before, after)
    assert told(found) == [("a", "lost", "corrections"), ("a", "lost", "imagery")]
    assert found.changes["km2"].tolist() == pytest.approx([km2(box(0.28, 0.3)), km2(box(0.1, 0.12))])


def test_a_correction_of_other_years_is_no_cause(drawing: Drawing) -> None:
    before = drawing.state({"a": [box(0.1, 0.2)]}, {"a": "mask"})
    after = drawing.state({"a": []}, {"a": "other"}, corrections=(correction(box(0.1, 0.2), (2018,)),))
    assert told(compare(before, after)) == [("a", "lost", "imagery")]


def test_ground_beyond_the_other_outline_is_told_by_the_boundary(drawing: Drawing) -> None:
    wide = drawing.state({"a": [box(0.1, 0.3)]}, {"a": "mask"})
    narrow = drawing.state({"a": [box(0.12, 0.2)]}, {"a": "other"}, region=box(0.0, 0.2, 1.0))
    found = compare(wide, narrow)
    assert told(found) == [("a", "lost", "boundary"), ("a", "lost", "imagery")]
    assert found.changes["km2"].tolist() == pytest.approx([km2(box(0.2, 0.3)), km2(box(0.1, 0.12))])
    assert told(compare(narrow, wide)) == [("a", "gained", "boundary"), ("a", "gained", "imagery")]


def test_what_nothing_explains_is_said_to_be_not_known(drawing: Drawing) -> None:
    before = drawing.state({"a": [box(0.1, 0.2)]}, {"a": "mask"})
    after = drawing.state({"a": [box(0.1, 0.3)]}, {"a": "mask"})
    assert told(compare(before, after)) == [("a", "gained", "not known")]


def test_causes_add_up_to_all_that_changed(drawing: Drawing) -> None:
    old = {"a": [box(0.1, 0.3)], "b": [box(0.4, 0.5), box(0.55, 0.6)], "c": [box(0.8, 0.95)]}
    new = {"a": [box(0.15, 0.35)], "b": [box(0.42, 0.5)], "c": [box(0.8, 0.9)], "d": [box(0.7, 0.72)]}
    before = drawing.state(old, {"a": "1", "b": "1", "c": "1"})
    after = drawing.state(
        new,
        {"a": "2", "b": "1", "c": "2", "d": "1"},
        region=box(0.0, 0.9, 1.0),
        corrections=(correction(box(0.54, 0.61)), correction(box(0.3, 0.32))),
    )
    found = compare(before, after)
    whole = [shapely.union_all([one for some in state.values() for one in some]) for state in (old, new)]
    by_cause = found.sums("cause").set_index("cause")
    assert set(by_cause.index) == {"imagery", "ground truth", "boundary", "corrections", "not known"}
    assert by_cause["gained"].sum() == pytest.approx(km2(whole[1].difference(whole[0])))
    assert by_cause["lost"].sum() == pytest.approx(km2(whole[0].difference(whole[1])))
    assert by_cause["gained"].sum() - by_cause["lost"].sum() == pytest.approx(found.km2[1] - found.km2[0])
    again = found.sums("region", "year", "cause")[["gained", "lost"]].sum()
    assert again.tolist() == pytest.approx(by_cause.sum().tolist())


def test_years_of_one_state_only_are_named_and_not_compared(drawing: Drawing) -> None:
    before = drawing.state({"a": [box(0.1, 0.2)]}, {"a": "mask"})
    after = drawing.state({"a": [box(0.1, 0.2)]}, {"a": "mask"}, years=(2019, 2020))
    found = compare(before, after)
    assert found.changes.empty
    assert (found.only_before, found.only_after) == ((), (("north", 2020),))


def test_states_with_nothing_in_common_are_refused(drawing: Drawing) -> None:
    before = drawing.state({"a": []}, {"a": "mask"}, years=(2018,))
    after = drawing.state({"a": []}, {"a": "mask"}, years=(2019,))
    with pytest.raises(BadInputError, match="1 and 2 have no region and year in common"):
        compare(before, after)


def test_equal_contents_are_not_even_looked_at(drawing: Drawing) -> None:
    before = drawing.state({"a": [box(0.1, 0.2)]}, {"a": "mask"})
    after = drawing.state({"a": [box(0.5, 0.6)]}, {"a": "mask"})
    same = "mining_polygons[north|2019]"
    after = replace(after, lineage={**after.lineage, same: before.lineage[same]})
    assert compare(before, after).changes.empty
