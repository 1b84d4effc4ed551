"""The settings of the source `stac`: ready sets of collections, and what is wrong with settings."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pystac
import pytest
from pydantic import ValidationError

from minemap_assets.errors import AuthenticationError, BadInputError, NotEntitledError
from minemap_assets.imagery.products import product
from minemap_assets.imagery.source_kind import AccessAnswer
from minemap_assets.imagery.sources.stac.cloud_masks import masks_of
from minemap_assets.imagery.sources.stac.config import LEVEL_1C, PRESETS, PRODUCT, Collection, StacConfig, revision_of
from minemap_assets.imagery.sources.stac.kind import STAC
from minemap_assets.imagery.sources.stac.offsets import resolve_offset
from minemap_assets.imagery.sources.stac.s3_login import ACCESS_VARIABLE, KEYS_PAGE, SECRET_VARIABLE
from minemap_assets.imagery.sources.stac.scenes import parse_scene
from minemap_assets.lake.store import LocalStore
from minemap_assets.project.project import Project

RECORDED = Path(__file__).parents[3] / "support" / "recorded" / "stac"
OWN = {"name": "own", "endpoint": "https://stac.example.org", "collection": "s2", "offset": "always"}


def names(config: StacConfig, product: str) -> list[str]:
    return [collection.name for collection in config.collections_for(product)]


def items(name: str) -> dict[str, pystac.Item]:
    found = json.loads((RECORDED / name).read_text())["features"]
    return {item["collection"]: pystac.Item.from_dict(item) for item in found}


def wrong(**settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        StacConfig.model_validate(settings)
    return str(caught.value)


def test_one_line_of_settings_takes_the_copernicus_data_space_in() -> None:
    order = ["earth-search", "planetary-computer", "copernicus"]
    config = StacConfig.model_validate({"use": order})
    assert names(config, PRODUCT) == [
        "earth-search/sentinel-2-c1-l2a",
        "planetary-computer/sentinel-2-l2a",
        "copernicus/sentinel-2-l2a",
    ]
    assert names(config, LEVEL_1C) == ["earth-search/sentinel-2-l1c", "copernicus/sentinel-2-l1c"]
    assert not any(c.login == "copernicus" for p in (PRODUCT, LEVEL_1C) for c in StacConfig().collections_for(p))


def test_level_1c_is_there_without_a_word_and_has_every_band() -> None:
    (only,) = StacConfig().collections_for(LEVEL_1C)
    assert set(only.assets.bands) == set(product(LEVEL_1C).bands)
    assert (only.files, only.login, only.offset, only.assets.classes) == ("jp2", "s3-unsigned", "baseline", "")


@pytest.mark.parametrize("collection", [c for name in PRESETS for c in PRESETS[name]], ids=lambda c: c.name)
def test_every_ready_collection_names_all_bands_of_its_product(collection: Collection) -> None:
    assert set(collection.assets.bands) == set(product(collection.product).bands)
    assert len(set(collection.assets.bands.values())) == len(collection.assets.bands)


@pytest.mark.parametrize(
    ("file", "preset", "which"),
    [
        ("copernicus.json", "copernicus", PRODUCT),
        ("copernicus.json", "copernicus", LEVEL_1C),
        ("earth_search_l1c.json", "earth-search", LEVEL_1C),
    ],
)
def test_recorded_items_have_the_assets_and_the_offset_that_the_settings_say(
    file: str, preset: str, which: str
) -> None:
    (collection,) = (c for c in PRESETS[preset] if c.product == which)
    item = items(file)[collection.collection]
    for band, key in collection.assets.bands.items():
        asset = item.assets[key]
        assert collection.reads(asset.href), asset.href
        said = asset.extra_fields.get(
            "raster:offset", (asset.extra_fields.get("raster:bands") or [{}])[0].get("offset")
        )
        assert said == -0.1, band
    assert not collection.assets.classes or collection.reads(item.assets[collection.assets.classes].href)
    scene = parse_scene(item, collection)
    assert scene is not None
    assert (scene.baseline, resolve_offset(scene).value) == ("05.10", -1000)
    assert scene.sensed
    assert set(scene.item.assets) == collection.assets.keys


def test_recorded_items_have_the_masks_that_are_asked_for() -> None:
    (first,) = (c for c in PRESETS["earth-search"] if c.product == PRODUCT)
    for item in json.loads((RECORDED / "earth_search_c1.json").read_text()):
        for mask in masks_of(first, StacConfig(cloud_mask="probability")):
            assert first.reads(item["assets"][mask.key]["href"])


def test_what_can_be_read_is_told_by_the_address() -> None:
    open_, jp2 = Collection.model_validate(OWN), PRESETS["copernicus"][0]
    assert open_.reads("https://example.org/B02.tif?sig=1.jp2")
    assert not open_.reads("https://example.org/B02.jp2")
    assert not open_.reads("s3://bucket/B02.tif")
    assert jp2.reads("s3://eodata/B02.jp2")
    assert jp2.reads("https://example.org/B02.JP2")
    assert not jp2.reads("s3://eodata/B02.tif")
    assert not jp2.reads("ftp://example.org/B02.jp2")


def test_collections_of_one_s_own_stand_alone_or_among_the_ready_sets() -> None:
    own = StacConfig.model_validate({"collections": [OWN]})
    assert names(own, PRODUCT) == ["own"]
    assert names(own, LEVEL_1C) == []
    among = StacConfig.model_validate({"collections": [OWN], "use": ["planetary-computer", "own", "earth-search"]})
    assert names(among, PRODUCT) == ["planetary-computer/sentinel-2-l2a", "own", "earth-search/sentinel-2-c1-l2a"]


def test_wrong_settings_say_what_is_valid() -> None:
    assert "did you mean 'copernicus'" in wrong(use=["copernicas"])
    assert "names something twice" in wrong(use=["earth-search", "earth-search"])
    assert "use does not name anything" in wrong(use=[])
    assert "calls more than one own" in wrong(collections=[OWN, OWN])
    assert "calls more than one copernicus" in wrong(collections=[{**OWN, "name": "copernicus"}])
    assert "use does not name own" in wrong(use=["earth-search"], collections=[OWN])
    assert "needs storage" in wrong(collections=[{**OWN, "login": "copernicus"}])
    assert "needs tokens" in wrong(collections=[{**OWN, "login": "planetary-computer"}])
    assert "not one of sentinel-2-l2a, sentinel-2-l1c" in wrong(collections=[{**OWN, "product": "planet-nicfi"}])
    assert "assets name no classes" in wrong(collections=[{**OWN, "assets": {"bands": {"red": "B04"}}}])


def test_revisions_follow_what_shapes_a_product_s_pixels() -> None:
    def revision(product: str = PRODUCT, **settings: Any) -> str:
        return revision_of(StacConfig.model_validate(settings), product)

    base = revision()
    assert base == revision(rate=1.0) == revision(concurrency=2, stack_bytes=1_000_000)
    assert base == revision(static_index="items.parquet") == revision(cloud_probability=20.0)
    changes: list[dict[str, Any]] = [
        {"max_cloud_cover": 10.0},
        {"masked_classes": (0, 1)},
        {"cloud_mask": "probability"},
        {"cloud_mask": "probability", "cloud_probability": 20.0},
        {"use": ["planetary-computer", "earth-search"]},
        {"collections": [OWN]},
    ]
    assert len({base, revision(LEVEL_1C), *(revision(**change) for change in changes)}) == len(changes) + 2
    without = revision(LEVEL_1C, use=["earth-search"])
    assert without == revision(LEVEL_1C, use=["earth-search", "planetary-computer"])
    slower = {**OWN, "concurrency": 2}
    assert revision(collections=[OWN]) == revision(collections=[slower])


def project_with(tmp_path: Path, settings: str) -> Project:
    from dagster_project.registry import Registry
    from minemap_assets.project.project import ProjectHome
    from minemap_assets.project.settings import SETTINGS_PATH

    home = ProjectHome.at(str(tmp_path / "lake"), tmp_path / "state", Registry().parts())
    assert isinstance(home.lake.store, LocalStore)
    home.lake.store.write_bytes(SETTINGS_PATH, settings.encode())
    return home.open()


def test_credentials_are_told_by_their_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (ACCESS_VARIABLE, SECRET_VARIABLE, "PC_SDK_SUBSCRIPTION_KEY"):
        monkeypatch.delenv(name, raising=False)
    plain = project_with(tmp_path / "plain", "")
    assert STAC.access.credentials(plain) == "none needed"
    monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", "s3cret")
    assert STAC.access.credentials(plain) == "PC_SDK_SUBSCRIPTION_KEY is set"
    account = project_with(tmp_path / "account", '[sources.stac]\nuse = ["copernicus"]\n')
    monkeypatch.setenv(ACCESS_VARIABLE, "4ccess")
    with pytest.raises(AuthenticationError) as caught:
        STAC.access.credentials(account)
    assert SECRET_VARIABLE in str(caught.value)
    assert KEYS_PAGE in str(caught.value)
    assert "4ccess" not in str(caught.value)
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")
    said = STAC.access.credentials(account)
    assert said == f"{ACCESS_VARIABLE} and {SECRET_VARIABLE} are set"


def test_access_is_answered_without_a_service_where_none_can_be_asked(tmp_path: Path) -> None:
    own = "\n".join(f'{key} = "{value}"' for key, value in OWN.items())
    other = project_with(tmp_path / "other", f"[[sources.stac.collections]]\n{own}\n")
    with pytest.raises(NotEntitledError, match="names no collection of sentinel-2-l1c"):
        STAC.access.check(other, LEVEL_1C)
    path = tmp_path / "items.parquet"
    indexed = own.replace("https://stac.example.org", path.as_uri())
    still = project_with(tmp_path / "still", f"[[sources.stac.collections]]\n{indexed}\n")
    with pytest.raises(BadInputError, match="there is no file"):
        STAC.access.check(still, PRODUCT)
    columns = {"id": ["a", "b"], "collection": ["s2", "other"]}
    columns |= {name: [None, None] for name in ("geometry", "bbox", "assets", "datetime")}
    pq.write_table(pa.table(columns), path)
    assert STAC.access.check(still, PRODUCT) == AccessAnswer("1 item in static indexes, and no service to ask")
    none = project_with(tmp_path / "none", f"[[sources.stac.collections]]\n{indexed.replace('s2', 's3')}\n")
    with pytest.raises(BadInputError, match="hold no item of s3"):
        STAC.access.check(none, PRODUCT)
    refused = project_with(tmp_path / "refused", '[sources.stac]\ncloud_mask = "s2cloudless"\n')
    with pytest.raises(BadInputError, match="reads Level-1C only"):
        STAC.access.check(refused, PRODUCT)


def test_terms_are_those_of_the_product_s_collections(tmp_path: Path) -> None:
    own = {**OWN, "terms": "ours", "redistributable": False}
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in own.items())
    project = project_with(tmp_path, f"[[sources.stac.collections]]\n{lines}\n")
    assert [str(terms) for terms in STAC.access.terms(project, PRODUCT)] == ["ours (pixels must not be passed on)"]
    assert STAC.access.terms(project, LEVEL_1C) == ()
