"""A default of another version changes no series: where images were of another product, the settings have to say."""

from pathlib import Path

import pytest
import shapely

from dagster_project.environment import Environment
from dagster_project.registry import home_of
from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.graph.context import BuildContext
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.lake.manifests import Manifest, PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.project.settings import SETTINGS_PATH

OWN_RULE = ({"product": "sentinel-2-l2a", "from": 2020},)


def project(
    folder: Path, made_from: str, settings: str = "", region: Region | None = None, by: str = "stac"
) -> Project:
    home = home_of(Environment(home=str(folder / "lake"), state=folder / "state"))
    region = region or Region("r", "R", shapely.box(0, 0, 1, 1))
    home.lake.store.write_bytes(REGIONS_PATH, write_regions([region]))
    home.lake.store.write_bytes(SETTINGS_PATH, settings.encode())
    manifest = Manifest(
        room="imagery",
        asset="imagery",
        keys=("r", "2019"),
        fingerprint="x",
        code_version="2",
        inputs={},
        files=(),
        summary={"product": made_from, "sources": {by: 3}},
    )
    home.lake.store.write_bytes("imagery/imagery/r/2019/manifest.json", manifest.model_dump_json().encode())
    return home.open()


def build(project: Project, year: int) -> None:
    ref = PartitionRef("imagery", "imagery", ("r", str(year)))
    COMPOSITES.build(BuildContext(project, ref, {}, {}, writer=None))  # type: ignore[arg-type]


@pytest.mark.parametrize("year", [2018, 2019])
def test_a_series_of_another_product_waits_for_a_word(tmp_path: Path, year: int) -> None:
    settings = '[imagery.sources]\nplanet-nicfi = ["archive"]\n'
    with pytest.raises(BadInputError, match=r"sets no products, .* r was made from planet-nicfi; write"):
        build(project(tmp_path, "planet-nicfi", settings), year)


def test_whoever_says_what_is_meant_goes_on(tmp_path: Path) -> None:
    said = '[imagery]\nproducts = [{ product = "sentinel-2-l2a" }]\n'
    regional = Region("r", "R", shapely.box(0, 0, 1, 1), products=OWN_RULE)
    for number, one in enumerate(
        [
            project(tmp_path / "a", "planet-nicfi", said),
            project(tmp_path / "b", "planet-nicfi", region=regional),
            project(tmp_path / "c", "sentinel-2-l2a"),
        ]
    ):
        with pytest.raises(NotFoundError, match="reads 0 partitions of"):
            build(one, 2020 + number)


def test_images_of_ones_own_stay_until_the_settings_say_otherwise(tmp_path: Path) -> None:
    said = '[imagery]\nproducts = [{ product = "sentinel-2-l2a" }]\n[imagery.sources]\n'
    for number, text in enumerate(("", f'{said}planet-nicfi = ["archive"]\n')):
        with pytest.raises(
            BadInputError, match=r"no source of sentinel-2-l2a, .* is stac, .* r was made by archive; write"
        ):
            build(project(tmp_path / str(number), "sentinel-2-l2a", text, by="archive"), 2020)
    for number, sources in enumerate((("archive", "stac"), ("stac",)), 2):
        text = f"{said}sentinel-2-l2a = {list(sources)}\n"
        with pytest.raises(NotFoundError, match="reads 0 partitions of"):
            build(project(tmp_path / str(number), "sentinel-2-l2a", text, by="archive"), 2020)


def test_a_new_project_sees_open_sentinel_2_in_every_year() -> None:
    config = ImageryConfig()
    assert {config.product_for(year) for year in range(2015, 2031)} == {"sentinel-2-l2a"}
    assert config.reference_products == ("sentinel-2-l2a",)
    assert config.sources["sentinel-2-l2a"] == ("stac",)
    assert config.sources["planet-nicfi"] == ("archive",)
