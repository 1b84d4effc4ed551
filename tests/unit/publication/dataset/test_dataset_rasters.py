"""Which rasters go with the dataset: what is restricted stays out unless a person overrides it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from shapely.geometry import box

from minemap_assets.errors import BadInputError
from minemap_assets.lake.manifests import Manifest
from minemap_assets.lake.partitions import Partition
from minemap_assets.publication.config import DatasetConfig
from minemap_assets.publication.dataset.facts import Facts
from minemap_assets.publication.dataset.pixels import Kind, Raster, Wanted, copy_rasters, refuse_restricted
from minemap_assets.publication.dataset.stac_catalogue import write_catalogue
from minemap_assets.publication.standing import Release, Standing

TERMS = "only for us"


class Held:
    """A partition of one file."""

    def __init__(self, folder: Path, bands: Sequence[str] = ()) -> None:
        self.manifest = Manifest(
            room="imagery",
            asset="imagery",
            keys=("north", "2019"),
            fingerprint="",
            code_version="1",
            inputs={},
            files=(),
            summary={"bands": list(bands)},
        )
        self.path = folder / "raster.tif"
        self.path.write_bytes(b"pixels")

    def file(self, _: str) -> Path:
        return self.path


def composite(folder: Path, redistributable: bool) -> Raster:
    row: dict[str, Any] = {
        "site_id": "mine",
        "file": "mine.tif",
        "source": "planet-basemaps",
        "product": "planet-nicfi",
        "terms": TERMS,
        "redistributable": redistributable,
    }
    return Raster(Kind.IMAGERY, "north", 2019, row, box(0, 0, 1, 1), None, cast(Partition, Held(folder)))


def test_nothing_is_included_unless_it_is_asked_for(tmp_path: Path) -> None:
    free = composite(tmp_path, True)
    mask = replace(free, kind=Kind.MASKS)
    assert "`minemap export --with-imagery` includes them" in free.left_out(Wanted())
    assert "`minemap export --with-masks` includes them" in mask.left_out(Wanted(imagery=True))
    assert free.left_out(Wanted(imagery=True)) == ""
    assert mask.left_out(Wanted(masks=True)) == ""


def test_restricted_pixels_are_refused_in_one_sentence_without_the_override(tmp_path: Path) -> None:
    bound, free = composite(tmp_path, False), composite(tmp_path, True)
    with pytest.raises(BadInputError, match="1 composite may not be passed on") as refused:
        refuse_restricted([bound, free], Wanted(imagery=True))
    assert TERMS in str(refused.value)
    assert "--include-restricted" in str(refused.value)
    refuse_restricted([bound, free], Wanted(masks=True))
    refuse_restricted([bound, free], Wanted(imagery=True, restricted=True))
    refuse_restricted([free], Wanted(imagery=True))
    assert TERMS in bound.left_out(Wanted(imagery=True))
    assert TERMS in bound.left_out(Wanted(restricted=True)), "the override alone asks for nothing"


def test_with_the_override_each_file_says_so(tmp_path: Path) -> None:
    bound, target = composite(tmp_path, False), tmp_path / "out"
    assert copy_rasters([bound], Wanted(imagery=True), {}, target) == 0
    assert not target.exists()
    assert copy_rasters([bound], Wanted(imagery=True, restricted=True), {"verdict_on_the_model": "weak"}, target) == 1
    assert (target / "imagery/north/2019/mine.tif").read_bytes() == b"pixels"
    beside = (target / "imagery/north/2019/mine.tif.aux.xml").read_text(encoding="utf-8")
    assert "no: this copy is for whoever has the right to it" in beside
    assert TERMS in beside
    assert "weak" in beside


def test_rasters_beyond_the_limit_have_items_only_where_their_pixels_are_there(tmp_path: Path) -> None:
    standing = Standing("abc", "weak", "", "", "", Release.FREE)
    facts = Facts(DatasetConfig(most_raster_items=0), standing, (), (2019,), (), ())
    held = {"season_start": "2019-06-01", "season_end": "2019-11-30", "acquisitions": [], "clear_fraction": 1.0}
    free = composite(tmp_path, True)
    free = replace(free, row={**free.row, **held}, partition=cast(Partition, Held(tmp_path, ["blue"])))
    assert write_catalogue(facts, None, [free], Wanted(), tmp_path) == 0
    collection = json.loads((tmp_path / "stac/collection.json").read_text(encoding="utf-8"))
    assert collection["minemap:rasters_without_items"].startswith("1 composites and masks")
    assert write_catalogue(facts, None, [free], Wanted(imagery=True), tmp_path) == 1
    collection = json.loads((tmp_path / "stac/collection.json").read_text(encoding="utf-8"))
    assert "minemap:rasters_without_items" not in collection
    item = json.loads((tmp_path / "stac/2019/imagery-north-mine-2019.json").read_text(encoding="utf-8"))
    assert item["assets"]["pixels"]["href"] == "../../imagery/north/2019/mine.tif"
