"""STAC items in a stac-geoparquet file: the same items as a service would send, found by place and time."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from minemap_assets.errors import BadInputError, RetryableError
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.config import PRESETS, PRODUCT, Collection, StacConfig
from minemap_assets.imagery.sources.stac.search import Catalogues
from minemap_assets.imagery.sources.stac.services import Services
from minemap_assets.imagery.sources.stac.static_index import FRESH_SECONDS, StaticIndex, indexes, is_index, stand_in
from minemap_assets.net.policy import Clock
from servers.processes import free_port, unreliable

RECORDED = Path(__file__).parents[3] / "support" / "recorded" / "stac"
WORLD = (-180.0, -90.0, 180.0, 90.0)
(FIRST, LAST) = date(2021, 6, 1), date(2021, 6, 30)
SEASON = Season(2021, FIRST, LAST + timedelta(days=1))
(OLDER,) = PRESETS["earth-search-older"]
HERE = shapely.box(10.4, 0.4, 10.6, 0.6)


def write(path: Path, items: Sequence[Mapping[str, Any]]) -> Path:
    import rustac

    async def written() -> None:
        await rustac.write(str(path), [dict(item) for item in items])

    path.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(written())
    return path


def item(name: str, moment: str, west: float = 10.0, collection: str = PRODUCT, **said: Any) -> dict[str, Any]:
    outline = shapely.box(west, 0.0, west + 1.0, 1.0)
    keys = (*OLDER.assets.keys, *said.pop("more", ()))
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "geometry": shapely.geometry.mapping(outline),
        "bbox": list(outline.bounds),
        "properties": {"datetime": moment, "platform": "sentinel-2a", "grid:code": "MGRS-32NPF"} | said,
        "assets": {key: {"href": f"https://example.org/{name}/{key}.tif", "roles": ["data"]} for key in keys},
        "links": [],
    }


JUNE = [item(f"june-{day}", f"2021-06-{day:02d}T10:00:00Z") for day in (1, 11, 21, 30)]


def found(index: StaticIndex, box: Any = WORLD, first: date = FIRST, last: date = LAST) -> list[str]:
    return sorted(one["id"] for one in index.items(PRODUCT, box, first, last))


def test_an_item_comes_back_as_it_was_recorded(tmp_path: Path) -> None:
    recorded = [
        one
        for name in ("copernicus.json", "earth_search_l1c.json")
        for one in json.loads((RECORDED / name).read_text())["features"]
    ]
    index = StaticIndex(str(write(tmp_path / "items.parquet", recorded)))
    for original in recorded:
        day = date.fromisoformat(original["properties"]["datetime"][:10])
        matches = list(index.items(original["collection"], tuple(original["bbox"]), day, day))
        (again,) = [one for one in matches if one["id"] == original["id"]]
        assert again["bbox"] == original["bbox"]
        assert again["assets"] == original["assets"]
        assert shapely.geometry.shape(again["geometry"]).equals(shapely.geometry.shape(original["geometry"]))
        said = {key: again["properties"][key] for key in original["properties"]}
        for key in ("datetime", "updated", "s2:generation_time"):  # written to the millisecond
            if key in original["properties"]:
                before, after = (datetime.fromisoformat(p[key]) for p in (original["properties"], said))
                assert abs(after - before) < timedelta(milliseconds=1)
                assert after.tzinfo == UTC
                said[key] = original["properties"][key]
        assert said == original["properties"]


def test_items_are_found_by_collection_place_and_day(tmp_path: Path) -> None:
    others = [
        item("may", "2021-05-31T23:59:59Z"),
        item("july", "2021-07-01T00:00:00Z"),
        item("elsewhere", "2021-06-11T10:00:00Z", west=20.0),
        item("other", "2021-06-11T10:00:00Z", collection="sentinel-2-l1c"),
    ]
    index = StaticIndex(write(tmp_path / "items.parquet", [*JUNE, *others]).as_uri())
    assert found(index, HERE.bounds) == [f"june-{day}" for day in (1, 11, 21, 30)]
    assert "elsewhere" in found(index)
    assert found(index, HERE.bounds, last=date(2021, 6, 29)) == ["june-1", "june-11", "june-21"]
    assert found(index, (11.5, 0.0, 12.0, 1.0)) == []


def test_what_crosses_the_antimeridian_or_has_a_span_of_time_is_found(tmp_path: Path) -> None:
    across = item("across", "2021-06-11T10:00:00Z")
    across["bbox"] = [179.5, 0.0, -179.5, 1.0]
    span = item(
        "span", "2021-06-11T10:00:00Z", start_datetime="2021-06-12T00:00:00Z", end_datetime="2021-06-13T00:00:00Z"
    )
    span["properties"]["datetime"] = None
    index = StaticIndex(str(write(tmp_path / "items.parquet", [*JUNE, across, span])))
    for box in ((179.6, 0.2, 179.8, 0.4), (-179.9, 0.2, -179.8, 0.4)):
        assert found(index, box) == ["across"]
    assert "span" in found(index, HERE.bounds)
    assert "span" not in found(index, HERE.bounds, first=date(2021, 6, 13))


def test_a_folder_of_files_is_one_index(tmp_path: Path) -> None:
    for number, one in enumerate(JUNE):
        write(tmp_path / "items" / f"part-{number}.parquet", [one])
    assert found(StaticIndex(str(tmp_path / "items"))) == [f"june-{day}" for day in (1, 11, 21, 30)]


def test_what_is_no_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="there is no file"):
        found(StaticIndex(str(tmp_path / "none.parquet")))
    table = tmp_path / "table.parquet"
    pq.write_table(pa.table({"id": ["a"], "assets": [1]}), table)
    with pytest.raises(BadInputError, match="no column geometry, bbox, collection, datetime"):
        found(StaticIndex(str(table)))
    whole = write(tmp_path / "whole.parquet", JUNE).read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInputError, match="cannot be read as stac-geoparquet"):
        found(StaticIndex(str(cut)))
    for seed in range(20):
        data = np.frombuffer(whole, dtype=np.uint8).copy()
        chance = np.random.default_rng(seed)
        data[chance.integers(0, data.size, 40)] = chance.integers(0, 256, 40)
        cut.write_bytes(data.tobytes())
        try:
            found(StaticIndex(str(cut)))
        except BadInputError:
            continue


def moved(url: str, collection: Collection = OLDER) -> Collection:
    return collection.model_copy(update={"endpoint": url})


def chosen(config: StacConfig, folder: Path) -> tuple[list[str], str]:
    """Ids of what is selected of a place and season, and what is said of its only collection."""
    services = Services(config, Clock(sleep=lambda _: None))
    collections = config.collections_for(PRODUCT)
    clients = {one.endpoint: services.catalogue(one.endpoint) for one in collections}
    catalogues = Catalogues(
        collections, clients, indexes(collections, services, folder), stand_in(config, services, folder)
    )
    try:
        selection = catalogues.select(HERE, SEASON, ("red", "nir"))
    finally:
        services.close()
    return [scene.id for scene in selection.scenes], selection.notes[0].text


def test_an_index_stands_in_place_of_a_service_and_for_one_that_is_down(tmp_path: Path) -> None:
    path = write(tmp_path / "items.parquet", [*JUNE, item("broken", "2021-06-06T10:00:00Z")])
    ids = sorted({"broken", *(one["id"] for one in JUNE)})
    alone = StacConfig(collections=(moved(path.as_uri()),))
    assert is_index(alone.collections[0].endpoint)
    assert not is_index("https://stac.example.org/v1")
    assert sorted(chosen(alone, tmp_path)[0]) == ids
    down = moved(f"http://127.0.0.1:{free_port()}/v1")
    with pytest.raises(RetryableError):
        chosen(StacConfig(collections=(down,), attempts=1), tmp_path)
    instead = StacConfig(collections=(down,), attempts=1, static_index=str(path))
    found_ids, note = chosen(instead, tmp_path)
    assert sorted(found_ids) == ids
    assert "static index" in note


def test_an_index_on_the_web_is_fetched_once_a_day_and_kept_where_it_cannot_be(tmp_path: Path) -> None:
    import os

    root = tmp_path / "root"
    write(root / "items.parquet", JUNE)
    with unreliable(root) as server:
        config = StacConfig(attempts=2, backoff=0.0)

        def ask() -> list[str]:
            services = Services(config, Clock(sleep=lambda _: None))
            client = services.catalogue(server.url)
            return found(StaticIndex(f"{server.url}/files/items.parquet", client, tmp_path / "kept"))

        assert ask() == ask() == [f"june-{day}" for day in (1, 11, 21, 30)]
        assert len(server.log()) == 1
        write(root / "items.parquet", JUNE[:1])
        (copy,) = (tmp_path / "kept" / "indexes").glob("*.parquet")
        old = copy.stat().st_mtime - FRESH_SECONDS - 1
        os.utime(copy, (old, old))
        server.set(share=1.0, kinds=["503"])
        assert len(ask()) == 4
        server.set(share=0.0)
        assert ask() == ["june-1"]
