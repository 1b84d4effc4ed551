"""Cloud masks of an archive: how they are found, what they hide, and what becomes of images without one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from archives import BANDS4, GRID, write_tif

from minemap_assets.errors import BadInputError, NotCoveredError
from minemap_assets.imagery.files.cloud_rules import USUAL_RULES, CloudFiles, parse_rule
from minemap_assets.imagery.files.images import Image, read_index, write_features
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.archive.index import ArchiveRules, IndexReport, index_archive
from minemap_assets.imagery.sources.archive.product_detection import index_folder
from minemap_assets.imagery.sources.archive.source import ArchiveSource

SEASON = SeasonRule().season(2021)
SCENE = "20210701"
RULES = ArchiveRules(bands=BANDS4)
GROUND, CLOUD = 1000, 9000
HIDDEN = (slice(10, 30), slice(20, 44))
"""Rows and columns under cloud, even numbers of them."""


def scene(folder: Path, name: str = SCENE, transform: Affine = GRID.affine) -> None:
    """Ground, with a bright cloud in it."""
    pixels = np.full((4, 64, 64), GROUND, dtype=np.uint16)
    pixels[:, HIDDEN[0], HIDDEN[1]] = CLOUD
    write_tif(folder / f"{name}.tif", pixels, transform)


def mask(path: Path, clear: float, cloudy: float, step: int = 1, dtype: str = "uint8", **more: object) -> None:
    """A mask of the scene's ground with pixels `step` times as large."""
    values = np.full((1, 64 // step, 64 // step), clear, dtype=dtype)
    values[:, HIDDEN[0].start // step : HIDDEN[0].stop // step, HIDDEN[1].start // step : HIDDEN[1].stop // step] = (
        cloudy
    )
    write_tif(path, values, GRID.affine @ Affine.scale(step), **more)  # type: ignore[arg-type]


def index(folder: Path, rules: ArchiveRules = RULES, **more: str) -> IndexReport:
    return index_archive(str(folder), name="test", product="planet-nicfi", rules=rules, **more)


def images(report: IndexReport) -> tuple[Image, ...]:
    return read_index("test", ".", report.features).images


def read(folder: Path, report: IndexReport) -> Composite:
    archive = ArchiveSource("planet-nicfi", [read_index("test", str(folder), report.features)])
    return archive.read(GRID, SEASON, BANDS4)


def assert_hidden(composite: Composite) -> None:
    expected = np.full((64, 64), GROUND)
    expected[HIDDEN] = 0
    np.testing.assert_array_equal(composite.pixels, np.broadcast_to(expected, (4, 64, 64)))
    np.testing.assert_array_equal(composite.clear_count, expected > 0)


@pytest.mark.parametrize(
    ("file", "clear", "cloudy", "step", "dtype"),
    [
        (f"{SCENE}_SCL.tif", 5, 9, 1, "uint8"),
        (f"{SCENE}_SCL_20m.tif", 5, 3, 2, "uint8"),
        (f"{SCENE}_scl.tiff", 4, 10, 2, "uint16"),
        ("SCL.tif", 6, 0, 2, "uint8"),
        (f"{SCENE}_udm2.tif", 1, 0, 1, "uint8"),
        (f"{SCENE}_udm2_clip.tif", 1, 0, 1, "uint8"),
        (f"{SCENE}_DN_udm.tif", 0, 2, 1, "uint8"),
        (f"{SCENE}_CLM.tif", 0, 1, 1, "uint8"),
        (f"{SCENE}_CLM.tif", 0, 255, 1, "uint8"),
    ],
)
def test_masks_with_usual_names_hide_clouds(
    tmp_path: Path, file: str, clear: int, cloudy: int, step: int, dtype: str
) -> None:
    scene(tmp_path)
    mask(tmp_path / file, clear, cloudy, step, dtype)
    report = index(tmp_path)
    assert report.refused == ()
    (image,) = images(report)
    assert [m.href for m in image.clouds] == [file]
    composite = read(tmp_path, report)
    assert_hidden(composite)
    assert composite.provenance.cloud_mask == image.clouds[0].rule


@pytest.mark.parametrize(
    ("rule", "clear", "cloudy", "dtype"),
    [
        ("*_QA*=1,7", 0, 7, "int16"),
        ("*_QA*!=4", 4, 0, "uint8"),
        ("*_QA*>=0.4", 0.39, 0.4, "float32"),
        ("*_QA*>=0.4", 0.1, np.nan, "float32"),
        ("*_QA*=1", 0.0, np.nan, "float32"),
    ],
)
def test_a_rule_of_ones_own(tmp_path: Path, rule: str, clear: float, cloudy: float, dtype: str) -> None:
    scene(tmp_path)
    mask(tmp_path / f"{SCENE}_QA.tif", clear, cloudy, dtype=dtype)
    assert_hidden(read(tmp_path, index(tmp_path, replace(RULES, clouds=(rule,)))))


def test_a_declared_nodata_of_the_mask_means_what_the_rule_says(tmp_path: Path) -> None:
    scene(tmp_path)
    mask(tmp_path / f"{SCENE}_CLM.tif", 0, 1, nodata=0)
    assert_hidden(read(tmp_path, index(tmp_path)))


def test_every_mask_hides_and_what_none_covers_is_hidden(tmp_path: Path) -> None:
    scene(tmp_path)
    mask(tmp_path / f"{SCENE}_SCL.tif", 5, 9)
    half = np.zeros((1, 64, 32), dtype=np.uint8)
    write_tif(tmp_path / f"{SCENE}_CLM.tif", half, GRID.affine)
    composite = read(tmp_path, index(tmp_path))
    assert not composite.pixels[:, :, 32:].any()
    assert set(np.unique(composite.pixels[:, :, :32])) == {0, GROUND}
    assert composite.clear_fraction == 0.5 - 20 * 12 / 64**2


@pytest.mark.parametrize("shift", [(3.0, 4.0), (5.1, -4.9), (-9.0, 9.0)])
def test_no_cloud_bleeds_into_pixels_that_do_not_coincide(tmp_path: Path, shift: tuple[float, float]) -> None:
    moved = Affine.translation(*shift) @ GRID.affine
    scene(tmp_path, transform=moved)
    clouds = np.zeros((1, 64, 64), dtype=np.uint8)
    clouds[:, HIDDEN[0], HIDDEN[1]] = 1
    write_tif(tmp_path / f"{SCENE}_CLM.tif", clouds, moved)
    assert set(np.unique(read(tmp_path, index(tmp_path)).pixels)) == {0, GROUND}


@pytest.mark.parametrize("step", [1, 4])
def test_a_finer_mask_hides_a_pixel_of_which_it_hides_any_part(tmp_path: Path, step: int) -> None:
    pixels = np.full((4, 64 * step, 64 * step), GROUND, dtype=np.uint16)
    write_tif(tmp_path / f"{SCENE}.tif", pixels, GRID.affine @ Affine.scale(1 / step))
    clouds = np.zeros((1, 256, 256), dtype=np.uint8)
    clouds[:, 42, 81] = 1
    write_tif(tmp_path / f"{SCENE}_CLM.tif", clouds, GRID.affine @ Affine.scale(0.25))
    composite = read(tmp_path, index(tmp_path))
    assert [tuple(map(int, place)) for place in np.argwhere(composite.pixels[0] == 0)] == [(10, 20)]


def test_a_scene_of_clouds_is_not_covered(tmp_path: Path) -> None:
    scene(tmp_path)
    mask(tmp_path / f"{SCENE}_SCL.tif", 9, 9)
    with pytest.raises(NotCoveredError, match="no observed pixel"):
        read(tmp_path, index(tmp_path))


def test_a_painted_classification_hides_everything(tmp_path: Path) -> None:
    """A picture of the classes is no mask; its numbers are no classes that show the ground."""
    scene(tmp_path)
    write_tif(tmp_path / f"{SCENE}_SCL.tif", np.full((3, 64, 64), 160 * 257, dtype=np.uint16), GRID.affine)
    with pytest.raises(NotCoveredError):
        read(tmp_path, index(tmp_path))


def test_an_image_without_a_mask_keeps_working_and_says_so(tmp_path: Path) -> None:
    scene(tmp_path)
    composite = read(tmp_path, index(tmp_path))
    assert composite.clear_fraction == 1.0
    assert composite.provenance.cloud_mask == "none"


def test_an_image_without_a_mask_is_left_out_where_the_others_have_one(tmp_path: Path) -> None:
    for day in ("20210701", "20210702", "20210703"):
        scene(tmp_path, day)
        if day != "20210703":
            mask(tmp_path / f"{day}_SCL.tif", 5, 9)
    report = index(tmp_path)
    assert report.images == 2
    (refusal,) = report.refused
    assert (refusal.path, refusal.reason.split(",")[0]) == ("20210703.tif", "20210703 has no cloud mask")


def test_a_mask_that_cannot_be_used_leaves_its_image_out(tmp_path: Path) -> None:
    for day, transform in (("20210701", GRID.affine), ("20210702", Affine.translation(9e4, 0) @ GRID.affine)):
        scene(tmp_path, day)
        write_tif(tmp_path / f"{day}_SCL.tif", np.full((1, 64, 64), 5, dtype=np.uint8), transform)
    cut = tmp_path / "20210701_SCL.tif"
    cut.write_bytes(cut.read_bytes()[:-100])
    report = index(tmp_path)
    assert report.images == 0
    reasons = {refusal.path: refusal.reason for refusal in report.refused}
    assert reasons["20210701.tif"].startswith("the cloud mask of 20210701 cannot be used: ")
    assert "20210701_SCL.tif is cut off" in reasons["20210701.tif"]
    assert "its cloud mask 20210702_SCL.tif lie in different places" in reasons["20210702.tif"]


def test_a_mask_without_an_image_is_named(tmp_path: Path) -> None:
    scene(tmp_path)
    mask(tmp_path / "20210702_SCL.tif", 5, 9)
    (refusal,) = index(tmp_path).refused
    assert refusal.path == "20210702_SCL.tif"
    assert "no image is named as it is" in refusal.reason


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_a_mask_damaged_after_indexing_is_named_and_no_cloud_shown(tmp_path: Path, damage: str) -> None:
    scene(tmp_path)
    path = tmp_path / f"{SCENE}_SCL.tif"
    mask(path, 5, 9)
    report = index(tmp_path)
    data = path.read_bytes()
    path.unlink() if damage == "removed" else path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInputError, match=r"20210701_SCL\.tif .*index the archive again"):
        read(tmp_path, report)


def test_masks_are_found_though_the_pattern_leaves_them_out(tmp_path: Path) -> None:
    scene(tmp_path)
    mask(tmp_path / f"{SCENE}_SCL.tif", 5, 9)
    mask(tmp_path / "20210901_SCL.tif", 5, 9)
    report = index(tmp_path, pattern="**/*01.tif")
    assert report.refused == ()
    assert_hidden(read(tmp_path, report))


def test_masks_go_with_their_images_where_the_files_say_the_product(tmp_path: Path) -> None:
    pixels = np.full((1, 64, 64), GROUND, dtype=np.uint16)
    for band in ("B02", "B08"):
        write_tif(tmp_path / "R10m" / f"T20LPR_20210704T142729_{band}_10m.tif", pixels, GRID.affine)
    mask(tmp_path / "R20m" / "T20LPR_20210704T142729_SCL_20m.tif", 5, 9, 2)
    rules = ArchiveRules(date_overrides={"R10m": "2021-07-05"})
    report = index_folder(str(tmp_path), name="t", product=None, rules=rules, pattern="**/*.tif")
    assert report.refused == ()
    (image,) = report.images
    assert (image.product, [m.href for m in image.clouds]) == (
        "sentinel-2-l2a",
        ["R20m/T20LPR_20210704T142729_SCL_20m.tif"],
    )
    composite = ArchiveSource("sentinel-2-l2a", [read_index("t", str(tmp_path), report.features)]).read(
        GRID, SEASON, ("blue", "nir")
    )
    assert not composite.pixels[:, HIDDEN[0], HIDDEN[1]].any()
    assert composite.clear_fraction == 1 - 20 * 24 / 64**2


def test_another_mask_is_another_revision(tmp_path: Path) -> None:
    scene(tmp_path)
    bare = images(index(tmp_path))[0].revision
    mask(tmp_path / f"{SCENE}_SCL.tif", 5, 9)
    masked = images(index(tmp_path))[0].revision
    mask(tmp_path / f"{SCENE}_SCL.tif", 5, 5, nodata=7)
    assert len({bare, masked, images(index(tmp_path))[0].revision}) == 3


def test_the_index_keeps_masks_as_assets_and_old_indexes_still_open(tmp_path: Path) -> None:
    scene(tmp_path)
    mask(tmp_path / f"{SCENE}_SCL.tif", 5, 9)
    report = index(tmp_path)
    (feature,) = json.loads(report.features)["features"]
    assert [a["role"] for a in feature["assets"] if "role" in a] == ["cloud-mask"]
    assert "clouds" not in feature["properties"]
    assert read_index("test", ".", write_features(images(report))).images[0].clouds == images(report)[0].clouds
    feature["assets"] = [a for a in feature["assets"] if "role" not in a]
    (old,) = read_index("test", ".", json.dumps({"features": [feature]}).encode()).images
    assert old.clouds == ()


@pytest.mark.parametrize("rule", ["*_QA*", "QA=1", "*_QA*=", "*_QA*>=0.1,0.2", "*_QA*=cloud", "*_QA*<3"])
def test_a_rule_that_is_none_is_said_at_once(tmp_path: Path, rule: str) -> None:
    scene(tmp_path)
    with pytest.raises(BadInputError, match="is no rule for cloud masks; write"):
        index(tmp_path, replace(RULES, clouds=(rule,)))


def test_which_mask_belongs_to_which_image() -> None:
    files = [
        "a/T1_SCL.tif",
        "a/T1_B_SCL.tif",
        "b/SCL.tif",
        "R20m/T9_SCL_20m.tif",
        "p/x_3B_udm2.tif",
        "p/x_3B_DN_udm.tif",
    ]
    clouds = CloudFiles([*files, "a/MUSCLE.tif"], (parse_rule("*_CLP*>=0.4"), *USUAL_RULES))
    assert sorted(clouds.rules) == sorted(files)
    expected = {
        "a/T1": ("a/T1_SCL.tif",),
        "a/T1_B": ("a/T1_B_SCL.tif",),
        "a/T12": (),
        "b/20210701": ("b/SCL.tif",),
        "R10m/T9": ("R20m/T9_SCL_20m.tif",),
        "p/x_3B_AnalyticMS_SR": ("p/x_3B_DN_udm.tif", "p/x_3B_udm2.tif"),
        "c/T1": (),
    }
    assert {image: clouds.of(image) for image in expected} == expected
