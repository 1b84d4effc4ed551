"""The record of what every address gave: kept under several hands, and neither forgotten nor begun anew."""

import shutil
from pathlib import Path

import geopandas as gpd
import pytest
from shapely.geometry import box

from meddling import MeddledStore
from minemap_assets.errors import BadInputError
from minemap_assets.lake.store import Store
from minemap_assets.reference.catalogue import read_catalogue
from minemap_assets.reference.fetching import FETCHED_PATH, Fetch, fetch_dataset, read_fetched
from minemap_assets.reference.published_sets import Dataset


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "mines.gpkg"
    gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)], crs=4326).to_file(path)
    return path


def fetch(store: Store, name: str, published: Path) -> Fetch:
    files = {"mines.gpkg": f"https://example.org/{name}.gpkg"}
    dataset = Dataset(name=name, title="", kind="polygons", licence="CC0", citation="", doi="", files=files)
    folder = published.parent / name
    folder.mkdir(exist_ok=True)
    return fetch_dataset(store, dataset, folder=folder, download=lambda _, path: shutil.copyfile(published, path))


def test_what_somebody_else_fetches_meanwhile_is_remembered(tmp_path: Path, published: Path) -> None:
    store = MeddledStore(tmp_path / "lake")
    store.before_next_write(FETCHED_PATH, lambda other: fetch(other, "theirs", published))
    fetch(store, "mine", published)
    assert set(read_fetched(store)) == {"https://example.org/mine.gpkg", "https://example.org/theirs.gpkg"}
    assert [entry.name for entry in read_catalogue(store).entries] == ["mine", "theirs"]


def test_a_record_that_is_gone_or_damaged_is_not_begun_anew(tmp_path: Path, published: Path) -> None:
    store = MeddledStore(tmp_path / "lake")
    fetch(store, "mine", published)
    store.write_bytes(FETCHED_PATH, b"junk")
    with pytest.raises(BadInputError, match=r"fetched\.json cannot be read.*restore reference/fetched\.json`"):
        fetch(store, "mine", published)
    store.delete(FETCHED_PATH)
    with pytest.raises(BadInputError, match=r"fetched\.json is gone; its last good version is of"):
        fetch(store, "mine", published)
    assert store.size(FETCHED_PATH) is None
