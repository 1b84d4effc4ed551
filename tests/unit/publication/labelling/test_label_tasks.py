"""Points of a file and patches of a scan as tasks, and their labels on the way back."""

import json
from pathlib import Path

import geopandas as gpd
import pytest
from shapely.geometry import Point, box

from minemap_assets.detection.accuracy import accuracy, read_labels
from minemap_assets.detection.assets import DETECTION_SAMPLE
from minemap_assets.detection.sampling import SAMPLE
from minemap_assets.errors import BadInputError
from minemap_assets.lake.manifests import Outcome
from minemap_assets.publication.labelling.answers import Answer, Key
from minemap_assets.publication.labelling.handing_over import labelled_detections, labelled_points
from minemap_assets.publication.labelling.tasks import (
    keep_task,
    open_task,
    task_names,
    task_of_detections,
    task_of_points,
)
from minemap_assets.reference.points import point_table
from tiny import Chain


def points_file(folder: Path, **columns: list[object]) -> Path:
    frame = gpd.GeoDataFrame(columns, geometry=[Point(0.1, 1.0), Point(0.2, 1.0), Point(0.3, 1.0)], crs="EPSG:4326")
    frame.to_file(folder / "My points.geojson")
    return folder / "My points.geojson"


def test_points_of_a_file_become_validation_points_with_their_design(chain: Chain, tmp_path: Path) -> None:
    path = points_file(tmp_path, stratum=["a", "a", "b"], stratum_area=[2.5, 2.5, 7.0])
    name, task = task_of_points(path, [2019, 2018, 2019])
    assert task_of_points(path, [2018, 2019])[0] == name
    assert name.startswith("my-points-")
    keep_task(chain.project.lake.store, name, task)
    opened = open_task(chain.project, name)
    assert (opened.kind, opened.years, len(opened.points)) == ("points", (2018, 2019), 3)
    assert task_names(chain.project) == (name,)
    said: dict[Key, Answer] = {
        ("p0001", 2018): "mine",
        ("p0001", 2019): "not mine",
        ("p0002", 2018): "cannot tell",
        ("p0003", 2019): "mine",
    }
    table = point_table(labelled_points(task, said, "anna"))
    rows = list(table[["point_id", "year", "label", "stratum", "stratum_area"]].itertuples(index=False, name=None))
    assert rows == [
        ("p0001", 2018, True, "a", 2.5),
        ("p0001", 2019, False, "a", 2.5),
        ("p0003", 2019, True, "b", 7.0),
    ]
    with pytest.raises(BadInputError, match="there is no label"):
        labelled_points(task, {("p0001", 2018): "cannot tell"}, "anna")


def test_files_that_are_no_points_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="more than once"):
        task_of_points(points_file(tmp_path, point_id=["a", "b", "a"]), [2019])
    gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)], crs="EPSG:4326").to_file(tmp_path / "boxes.gpkg")
    with pytest.raises(BadInputError, match="no points"):
        task_of_points(tmp_path / "boxes.gpkg", [2019])


def test_patches_of_a_scan_go_back_with_a_class(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="has no sample of detections"):
        task_of_detections(chain.project, 2019)
    strata = ["detected", "detected", "below", "below"]
    features = [
        {
            "type": "Feature",
            "properties": {"sample_id": f"s{n}", "class": "", "stratum": name, "stratum_patches": 40, "score": 0.9},
            "geometry": json.loads(gpd.GeoSeries([box(n, 1, n + 0.004, 1.004)]).to_json())["features"][0]["geometry"],
        }
        for n, name in enumerate(strata)
    ]
    with chain.project.lake.writer(DETECTION_SAMPLE.ref(("2019",)), "a test") as writer:
        writer.write(SAMPLE, lambda path: path.write_text(json.dumps({"features": features})))
        writer.commit("1", {}, Outcome({}))
    name, task = task_of_detections(chain.project, 2019)
    keep_task(chain.project.lake.store, name, task)
    opened = open_task(chain.project, name)
    assert [(one.point_id, round(one.longitude, 3)) for one in opened.points] == [
        ("s0", 0.002),
        ("s1", 1.002),
        ("s2", 2.002),
        ("s3", 3.002),
    ]
    said: dict[Key, Answer] = {("s0", 2019): "mine", ("s1", 2019): "not mine", ("s2", 2019): "not mine"}
    said[("s3", 2019)] = "not mine"
    assert labelled_detections(task, said, tmp_path / "labelled.geojson") == 4
    found = accuracy(read_labels(tmp_path / "labelled.geojson"))
    assert found.labelled == 4
    assert found.precision is not None
    assert found.precision.value == 0.5
    with pytest.raises(BadInputError, match="may hold labels"):
        labelled_detections(task, said, tmp_path / "labelled.geojson")
    said[("s0", 2019)] = "cannot tell"
    labelled_detections(task, said, tmp_path / "again.geojson")
    assert read_labels(tmp_path / "again.geojson").unsure == 1
