"""Promoted outlines: added to what is there at that moment, read as the snapshot read them."""

import json
from pathlib import Path

import geopandas as gpd
import pytest
from shapely.geometry import Polygon, box

from meddling import MeddledStore
from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.reference.registered import PROMOTED_SITES_PATH
from minemap_assets.sites.promotion import promote, promoted_sites
from projects import project_at


@pytest.fixture
def store(tmp_path: Path) -> MeddledStore:
    return MeddledStore(tmp_path / "lake")


def draw(folder: Path, *outlines: Polygon) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}.geojson"
    gpd.GeoDataFrame(geometry=list(outlines), crs=4326).to_file(path)
    return path


def notes(store: Store) -> list[str]:
    return [f["properties"]["note"] for f in json.loads(store.read_bytes(PROMOTED_SITES_PATH))["features"]]


def test_an_outline_that_is_there_changes_nothing(store: MeddledStore, tmp_path: Path) -> None:
    first = draw(tmp_path, box(0, 0, 1, 1))
    assert promote(store, first, "one") == 1
    before = store.read_bytes(PROMOTED_SITES_PATH)
    assert promote(store, first, "again") == 0
    assert store.read_bytes(PROMOTED_SITES_PATH) == before
    assert promote(store, draw(tmp_path, box(0, 0, 1, 1), box(2, 2, 3, 3)), "two") == 1
    assert notes(store) == ["one", "two"]


def test_outlines_that_somebody_else_adds_meanwhile_stay(store: MeddledStore, tmp_path: Path) -> None:
    theirs, mine = draw(tmp_path, box(0, 0, 1, 1)), draw(tmp_path, box(0, 0, 1, 1), box(2, 2, 3, 3))
    store.before_next_write(PROMOTED_SITES_PATH, lambda other: promote(other, theirs, "theirs"))
    assert promote(store, mine, "mine") == 1, "one of the two is there already"
    assert notes(store) == ["theirs", "mine"]


def test_a_damaged_file_is_neither_overwritten_nor_taken_for_empty(store: MeddledStore, tmp_path: Path) -> None:
    path = draw(tmp_path, box(0, 0, 1, 1))
    promote(store, path, "one")
    for junk in (b"junk", b'{"features": 3}', b'{"features": [{}]}'):
        store.write_bytes(PROMOTED_SITES_PATH, junk)
        with pytest.raises(BadInputError, match=r"not a GeoJSON.*; the last good version .* restore promoted_sites"):
            promote(store, path, "two")
        assert store.read_bytes(PROMOTED_SITES_PATH) == junk
    store.delete(PROMOTED_SITES_PATH)
    with pytest.raises(BadInputError, match=r"promoted_sites\.geojson is gone"):
        promote(store, path, "two")
    Inputs(store).restore(PROMOTED_SITES_PATH)
    assert notes(store) == ["one"]


def test_sites_are_made_of_the_outlines_that_the_snapshot_read(store: MeddledStore, tmp_path: Path) -> None:
    promote(store, draw(tmp_path, box(0, 0, 1, 1)), "one")
    project = project_at(Path(store.root), tmp_path / "state")
    project.input(PROMOTED_SITES_PATH)
    promote(store, draw(tmp_path, box(2, 2, 3, 3)), "two")
    frame = promoted_sites(project)
    assert frame is not None
    assert frame["note"].tolist() == ["one"]
    store.write_bytes(PROMOTED_SITES_PATH, b'{"type": "FeatureCollection", "features": 3}')
    with pytest.raises(BadInputError, match=rf"^{store.root}/inputs/promoted_sites\.geojson .*the last good version"):
        promoted_sites(project_at(Path(store.root), tmp_path / "state"))
