"""Samples drawn from maps, the file that comes back, and areas with intervals against a truth that is known."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.validation.area_estimation import LabelledSample, build_area_estimates
from minemap_assets.validation.drawing_samples import Wanted, design_of
from minemap_assets.validation.label_files import read_label_file, write_label_file
from minemap_assets.validation.map_reading import Places, RegionGround, RegionMap
from minemap_assets.validation.sample_files import PointLabel, SampleDesign
from minemap_assets.validation.sampling import Measured, StratumArea, allocate
from minemap_assets.validation.strata import Countries, TwoMaps, pieces

NOTHING = np.zeros(0, dtype=object)
KM = 1 / 110.6


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """A box at the equator, in kilometres."""
    return shapely.box(west * KM, south * KM, east * KM, north * KM)


def shapes(*found: shapely.Geometry) -> np.ndarray:
    return np.array(found, dtype=object)


COUNTRIES = Countries.of(
    gpd.GeoDataFrame(
        {"iso3": ["XAA", "XBB"], "name": ["A", "B"], "continent": ["", ""]},
        geometry=[box(-50, -50, 20, 50), box(20, -50, 90, 50)],
        crs=WGS84,
    ),
    5.0,
)

NORTH = RegionGround("north", box(0, 0, 40, 20), ["n1", "n2"], shapes(box(2, 2, 12, 12), box(15, 2, 25, 12)))
SOUTH = RegionGround("south", box(0, -10, 40, 6), ["s1"], shapes(box(8, -6, 18, 4)))
GROUNDS = [NORTH, SOUTH]

TRUE_START = shapely.union_all([box(4, 4, 7, 7), box(18, 5, 21, 8), box(10, -4, 12, -1)])
TRUE_END = shapely.union_all([box(4, 4, 9, 7), box(18, 6, 21, 8), box(10, -4, 12, -1), box(14, -5, 15, -4)])
"""Mines of two years; the maps are a quarter of a kilometre off."""

OFF = 0.25 * KM


def two_maps(unobserved: np.ndarray = NOTHING) -> dict[str, TwoMaps]:
    """Both regions mapped, shifted against the truth, and with one mine missed."""
    start, end = (shapely.transform(mines, lambda xy: xy + OFF) for mines in (TRUE_START, TRUE_END))
    end = shapely.difference(end, box(13, -6, 16, -3))
    found = {}
    for ground in GROUNDS:
        maps = [
            RegionMap(shapely.get_parts(shapely.intersection(mines, ground.outline)), unobserved)
            for mines in (start, end)
        ]
        found[ground.slug] = TwoMaps(*maps)
    return found


def wanted(size: int, seed: int = 1, minimum: int = 10) -> Wanted:
    return Wanted(2019, 2023, size, seed, minimum, "neyman", 300.0)


def labels_of(design: SampleDesign, start: shapely.Geometry, end: shapely.Geometry) -> dict[str, PointLabel]:
    points = gpd.points_from_xy([p.longitude for p in design.points], [p.latitude for p in design.points])
    first, last = shapely.intersects(points, start), shapely.intersects(points, end)
    return {
        p.point_id: PointLabel(point_id=p.point_id, start=bool(first[n]), end=bool(last[n]))
        for n, p in enumerate(design.points)
    }


def labelled(
    design: SampleDesign, labels: dict[str, PointLabel], maps: dict[str, TwoMaps], taught: Sequence[str] = ()
) -> LabelledSample:
    points = gpd.points_from_xy([p.longitude for p in design.points], [p.latitude for p in design.points])
    places = Places.of(np.asarray(points, dtype=object), GROUNDS)
    judged = [places.judge({slug: getattr(two, name) for slug, two in maps.items()}) for name in ("start", "end")]
    known = np.array([p.site_id in taught for p in design.points])
    return LabelledSample("a sample", design, labels, judged[0], judged[1], known, whole=True)


def estimated(folder: Path, sample: LabelledSample) -> tuple[pd.DataFrame, pd.DataFrame]:
    lake = Lake.local(folder / "lake", folder / "state")
    with lake.writer(PartitionRef("validation", "area_estimates", ()), "print") as writer:
        outcome = build_area_estimates([sample], {"XAA": "A", "XBB": "B"}, {("XAA", 2019): 20.0}, writer)
        writer.commit("1", {}, outcome)
    made = lake.open(PartitionRef("validation", "area_estimates", ()))
    assert isinstance(outcome, Outcome)
    return pd.read_parquet(made.file("area_estimates.parquet")), pd.read_parquet(made.file("area_accuracy.parquet"))


def km2(shape: shapely.Geometry) -> float:
    return float(areas_km2(gpd.GeoSeries([shape], crs=WGS84))[0])


FRAME = shapely.union_all([*NORTH.grounds, *shapely.intersection(SOUTH.grounds, SOUTH.outline)])


def test_strata_are_the_frame_cut_once_by_country_and_what_maps_say() -> None:
    cloud = shapes(box(3, 9, 6, 12))
    found = list(pieces(GROUNDS, two_maps(cloud), COUNTRIES, 300.0))
    ground = np.array([p.geometry for p in found], dtype=object)
    assert shapely.union_all(ground).symmetric_difference(FRAME).area < 1e-9 * FRAME.area
    assert sum(g.area for g in ground) == pytest.approx(FRAME.area, rel=1e-9)  # no ground twice, not where regions meet
    measured = Measured.of(found)
    areas = {(s.iso3, s.kind): s.area_km2 for s in measured.strata}
    assert {iso3 for iso3, _ in areas} == {"XAA", "XBB"}
    assert areas["XAA", "not observed"] == pytest.approx(km2(cloud[0]), rel=1e-3)
    everything = sum(areas.values()) + measured.slivers_km2
    assert everything == pytest.approx(km2(FRAME), rel=1e-6)
    mapped = shapely.transform(TRUE_START, lambda xy: xy + OFF)
    assert sum(s.mapped_start_km2 for s in measured.strata) == pytest.approx(km2(mapped), rel=1e-6)
    near = next(p for p in found if p.kind == "near boundary" and p.site_id == "n1")
    edge = shapely.boundary(shapely.transform(box(4, 4, 7, 7), lambda xy: xy + OFF))
    assert shapely.distance(shapely.Point(near.geometry.representative_point()), edge) <= 5.5 * KM
    assert km2(near.geometry) == pytest.approx(0.6 * (3 * 4 + 2 * 2 + 3 - 0.6), rel=0.2)  # 600 m wide along 19 km


def test_points_lie_in_their_stratum_and_the_same_seed_draws_them_again() -> None:
    maps = two_maps()
    design = design_of(GROUNDS, maps, COUNTRIES, wanted(400))
    assert design == design_of(GROUNDS, maps, COUNTRIES, wanted(400))
    assert design != design_of(GROUNDS, maps, COUNTRIES, wanted(400, seed=2))
    assert [s.points for s in design.strata] == np.bincount([p.stratum for p in design.points]).tolist()
    assert min(s.points for s in design.strata) >= 10
    own: dict[tuple[str, str], list[shapely.Geometry]] = {}
    for piece in pieces(GROUNDS, maps, COUNTRIES, 300.0):
        own.setdefault((piece.iso3, piece.kind), []).append(piece.geometry)
    for point in design.points:
        stratum = design.strata[point.stratum]
        ground = own[stratum.iso3, stratum.kind]
        assert min(shapely.distance(shapely.Point(point.longitude, point.latitude), ground)) < 1e-6
    kinds = {point.stratum: set() for point in design.points}
    for point in design.points:
        kinds[point.stratum].add((point.mapped_start, point.mapped_end))
    of_kind = {design.strata[n].kind: said for n, said in kinds.items()}
    assert of_kind["gain"] == {("other", "mine")}
    assert of_kind["stable mine"] == {("mine", "mine")}
    order = [p.stratum for p in design.points]
    assert order != sorted(order)  # the order tells nobody the stratum


def test_the_rest_goes_where_it_lowers_the_error_most() -> None:
    strata = [
        StratumArea("XAA", kind, area, 0, 0, 0)
        for kind, area in (("stable other", 900.0), ("near boundary", 90.0), ("gain", 1.0))
    ]
    assert allocate(strata, 300, 20, "neyman") == [187, 93, 20]  # 0.1 x 900 : 0.5 x 90, after the least of 20
    assert allocate(strata, 300, 20, "proportional") == [255, 25, 20]
    with pytest.raises(BadInputError, match="59 points are too few for 3 strata with at least 20 each"):
        allocate(strata, 59, 20, "neyman")


def test_estimates_hold_the_truth_however_wrong_and_old_the_map_is(tmp_path: Path) -> None:
    """The maps that drew the strata were 250 m off; those of now find nothing at all."""
    inside = [shapely.intersection(mines, FRAME) for mines in (TRUE_START, TRUE_END)]
    truth = {
        ("area", 2019): km2(inside[0]),
        ("area", 2023): km2(inside[1]),
        ("gain", 2023): km2(inside[1].difference(inside[0])),
        ("loss", 2023): km2(inside[0].difference(inside[1])),
        ("net change", 2023): km2(inside[1]) - km2(inside[0]),
    }
    blind = {slug: TwoMaps(RegionMap(NOTHING, NOTHING), RegionMap(NOTHING, NOTHING)) for slug in ("north", "south")}
    covered = 0
    for seed in range(4):
        design = design_of(GROUNDS, two_maps(), COUNTRIES, wanted(600, seed))
        sample = labelled(design, labels_of(design, TRUE_START, TRUE_END), blind)
        rows, accuracy = estimated(tmp_path / str(seed), sample)
        every = rows[rows["iso3"].isna() & (rows["ground"] == "all")].set_index(["quantity", "year"])
        covered += sum(every.loc[key, "low_km2"] <= value <= every.loc[key, "high_km2"] for key, value in truth.items())
        assert every.loc[("area", 2023), "frame_km2"] == pytest.approx(km2(FRAME), rel=1e-6)
        assert (rows["outside_frame"] == "unmeasured").all()
        recall = accuracy[accuracy["iso3"].isna() & (accuracy["measure"] == "producers_accuracy")]
        assert (recall["estimate"] == 0.0).all()  # a map without a mine
    assert covered >= 17  # of 20
    mapped = two_maps()["north"].start.polygons, two_maps()["south"].start.polygons
    assert every.loc[("area", 2019), "mapped_km2"] == pytest.approx(
        km2(shapely.union_all(np.concatenate(mapped))), rel=1e-3
    )
    assert every.loc[("area", 2023), "remapped"] > 50
    assert rows.set_index(["country_name", "quantity", "year"]).loc[("A", "area", 2019), "mapped_now_km2"] == 20.0


def test_too_few_points_are_insufficient_and_taught_ground_is_told_apart(tmp_path: Path) -> None:
    design = design_of(GROUNDS, two_maps(), COUNTRIES, wanted(400))
    labels = labels_of(design, TRUE_START, TRUE_END)
    countries = {p.point_id: design.strata[p.stratum].iso3 for p in design.points}
    few = {point: label for point, label in labels.items() if countries[point] == "XAA" or point.endswith("7")}
    rows, accuracy = estimated(tmp_path, labelled(design, few, two_maps(), taught=["n1"]))
    by_country = rows[rows["quantity"] == "area"].set_index(["country_name", "ground", "year"])
    assert by_country.loc[("B", "all", 2023), "verdict"] == "insufficient"
    assert "labelled points" in by_country.loc[("B", "all", 2023), "reason"]
    assert np.isnan(by_country.loc[("B", "all", 2023), "estimate_km2"])
    whole, rest = (by_country.loc[("A", ground, 2023)] for ground in ("all", "not trained on"))
    assert (whole["verdict"], whole["in_training_blocks"] > 20) == ("estimated", True)
    assert whole["estimate_km2"] > rest["estimate_km2"] > 0  # the mine of n1 is the larger part
    assert rest["labelled"] == whole["labelled"] - whole["in_training_blocks"]
    assert set(accuracy["ground"]) == {"all", "not trained on"}
    lake = Lake.local(tmp_path / "lake", tmp_path / "state")
    made = lake.open(PartitionRef("validation", "area_estimates", ()))
    points = gpd.read_parquet(made.file("sample_points.parquet"))
    assert (len(points), int(points["label_end"].notna().sum())) == (400, len(few))
    assert points["in_training_block"].sum() == (points["site_id"] == "n1").sum() > 0


def test_a_file_of_labels_comes_back_as_it_went(tmp_path: Path) -> None:
    design = design_of(GROUNDS, two_maps(), COUNTRIES, wanted(200))
    labels = labels_of(design, TRUE_START, TRUE_END)
    for name in ("labels.csv", "labels.geojson"):
        write_label_file(design, tmp_path / name)
        with pytest.raises(BadInputError, match="exists, and may hold labels"):
            write_label_file(design, tmp_path / name)
        sent = gpd.read_file(tmp_path / name) if name.endswith("json") else pd.read_csv(tmp_path / name, dtype=str)
        assert not {"stratum", "mapped_start", "iso3"} & set(sent.columns)  # who labels must not know the map
        sent["start_label"] = ["mine" if labels[p].start else "not mine" for p in sent["point_id"]]
        sent["end_label"] = ["1" if labels[p].end else "0" for p in sent["point_id"]]
        sent.loc[5, ["start_label", "end_label"]] = None
        back = tmp_path / f"back-{name}"
        sent.to_file(back) if name.endswith("json") else sent.to_csv(back, index=False)
        found = read_label_file(back, design)
        assert len(found) == 199
        assert all((one.start, one.end) == (labels[one.point_id].start, labels[one.point_id].end) for one in found)


WRONG = {
    "a label that is none": ({"start_label": "perhaps"}, "has the label 'perhaps'; use 1 for mine and 0 for not mine"),
    "a point of another sample": ({"point_id": "p9999"}, "holds the point 'p9999', which the sample"),
    "a point twice": ({"point_id": "p0002"}, "holds the point p0002 more than once; keep one row of it"),
    "a point elsewhere": ({"longitude": "0.5"}, "from where it was drawn, outside what its stratum stands for"),
    "a confidence that is none": (
        {"confidence": "sure"},
        "has the confidence 'sure'; use high, medium, low or nothing",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_of_labels_that_cannot_be_used_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    change, sentence = WRONG[case]
    design = design_of(GROUNDS, two_maps(), COUNTRIES, wanted(200))
    write_label_file(design, tmp_path / "labels.csv")
    sent = pd.read_csv(tmp_path / "labels.csv", dtype=str)
    sent["start_label"] = sent["end_label"] = "mine"
    for column, value in change.items():
        sent.loc[0, column] = value
    sent.to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(BadInputError) as refusal:
        read_label_file(tmp_path / "labels.csv", design)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)
