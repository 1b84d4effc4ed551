"""What hides pixels: rules for files, and the model; its masks against those recorded with the same model."""

import os
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.imagery.sources.stac import cloud_masks
from minemap_assets.imagery.sources.stac.cloud_masks import (
    MaskFile,
    ModelMask,
    mask_note,
    mask_words,
    masks_of,
    model_mask,
    s2cloudless,
)
from minemap_assets.imagery.sources.stac.config import LEVEL_1C, PRODUCT, StacConfig

C1, PLANETARY, _ = StacConfig().collections_for(PRODUCT)
(L1C,) = StacConfig().collections_for(LEVEL_1C)
BY_PROBABILITY = StacConfig(cloud_mask="probability", cloud_probability=35.0)

SHOWN = {"2015-08-20": 2, "2015-07-31": 1, "2015-09-09": 4, "2015-08-30": 3, "2015-07-11": 0}
"""Where the scenes of REFERENCE_SCENES.npy are among the 68 dates of the patch: their NDVI is the same, number by
number.
"""


def hidden(mask: MaskFile, *numbers: int) -> list[bool]:
    return [bool(value) for value in mask.rule.hides(np.array(numbers, dtype=np.uint8))]


def test_scene_classes_hide_what_the_settings_say_and_always_what_shows_nothing() -> None:
    (mask,) = masks_of(C1, StacConfig())
    assert mask.key == "scl"
    assert hidden(mask, *range(12)) == [n in (0, 1, 3, 8, 9, 10) for n in range(12)]
    (bare,) = masks_of(PLANETARY, StacConfig(masked_classes=()))
    assert bare.key == "SCL"
    assert hidden(bare, *range(12)) == [n in (0, 1) for n in range(12)]


def test_probability_stands_in_place_of_the_classes_of_cloud_only() -> None:
    classes, probability = masks_of(C1, BY_PROBABILITY)
    assert hidden(classes, *range(12)) == [n in (0, 1, 3, 10) for n in range(12)]
    assert probability.key == "cloud"
    assert hidden(probability, 0, 34, 35, 100) == [False, False, True, True]


def test_a_collection_without_probability_says_that_its_classes_decide() -> None:
    assert masks_of(PLANETARY, BY_PROBABILITY) == masks_of(PLANETARY, StacConfig())
    assert "tells no cloud probability" in mask_note(PLANETARY, BY_PROBABILITY)
    assert "tells no cloud probability" in mask_words(PLANETARY, BY_PROBABILITY)
    assert mask_note(C1, BY_PROBABILITY) == mask_note(PLANETARY, StacConfig()) == ""
    assert mask_words(C1, BY_PROBABILITY).startswith("cloud probability of at least 35 %")
    assert mask_words(C1, StacConfig()) == "scene classification, hides 0, 1, 3, 8, 9, 10"


def test_the_model_is_for_level_1c_alone() -> None:
    assert masks_of(L1C, StacConfig()) == ()
    assert model_mask(StacConfig(), PRODUCT) is None
    with pytest.raises(BadInputError, match="reads Level-1C only"):
        model_mask(StacConfig(cloud_mask="s2cloudless"), PRODUCT)


def test_a_model_that_is_not_installed_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_masks, "find_spec", lambda _: None)
    s2cloudless.cache_clear()
    with pytest.raises(BadInputError, match=r"pip install 'minemap\[clouds\]'"):
        model_mask(StacConfig(), LEVEL_1C)


@pytest.mark.parametrize(
    ("loading", "lacks"),
    [("raise OSError('libgomp.so.1: cannot open shared object file')", "libgomp"), ("Booster = None", "lightGBM_v0.1")],
)
def test_a_model_that_cannot_be_loaded_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loading: str, lacks: str
) -> None:
    for package, text in (("s2cloudless", ""), ("lightgbm", loading)):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(text)
    monkeypatch.setitem(sys.modules, "lightgbm", sys)  # so that afterwards it is as it was
    del sys.modules["lightgbm"]
    monkeypatch.syspath_prepend(str(tmp_path))
    s2cloudless.cache_clear()
    with pytest.raises(BadInputError, match=f"cannot be loaded .*{lacks}.*; install what is missing"):
        model_mask(StacConfig(), LEVEL_1C)


def white(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    """Bright pixels are cloud: a rule in place of a model."""
    return (pixels[:, 0] > 0.5).astype(np.float64)


RULE = ModelMask("bright", ("blue", "nir"), white, working_m=10.0, smoothing_m=0.0, growth_m=0.0)


def ground(rows: int, columns: int) -> npt.NDArray[np.float32]:
    return np.full((2, rows, columns), 0.1, dtype=np.float32)


def test_cloud_is_hidden_where_it_is_and_as_far_around_it_as_asked_for() -> None:
    pixels = ground(20, 30)
    pixels[:, 5:9, 10:14] = 0.9
    expected = np.zeros((20, 30), dtype=np.bool_)
    expected[5:9, 10:14] = True
    assert (RULE.hides(pixels, 10.0) == expected).all()
    grown = replace(RULE, growth_m=20.0).hides(pixels, 10.0)
    assert grown[3, 11]
    assert grown[6, 15]
    assert not grown[2, 11]
    assert not grown[3, 8]
    assert grown.sum() == 16 + 4 * 8 + 4


def test_a_single_bright_pixel_is_smoothed_away() -> None:
    pixels = ground(20, 20)
    pixels[:, 10, 10] = 0.9
    assert RULE.hides(pixels, 10.0).sum() == 1
    assert not replace(RULE, smoothing_m=20.0).hides(pixels, 10.0).any()


@pytest.mark.parametrize("step", [1, 4])
def test_what_is_missing_is_hidden_and_tells_nothing_of_its_neighbours(step: int) -> None:
    model = replace(RULE, working_m=10.0 * step, smoothing_m=40.0, threshold=0.8)
    pixels = ground(24, 26)
    pixels[0, :, :13] = np.nan  # one band is enough
    pixels[:, :, 13:] = 0.9
    assert model.hides(pixels, 10.0).all()
    pixels[:, :, 13:] = 0.1
    clear = model.hides(pixels, 10.0)
    assert clear[:, :13].all()
    assert not clear[:, 13:].any()
    assert model.hides(np.full((2, 5, 5), np.nan, dtype=np.float32), 10.0).all()


def test_coarser_work_hides_the_same_ground() -> None:
    pixels = ground(61, 63)
    pixels[:, :30] = 0.9
    coarse = replace(RULE, working_m=60.0, growth_m=110.0).hides(pixels, 10.0)
    assert coarse.shape == (61, 63)
    assert coarse[:42].all()
    assert not coarse[48:].any()
    with pytest.raises(ValueError, match="takes 2 bands, not 1"):
        RULE.hides(pixels[:1], 10.0)


def recorded() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Scenes (scene, band of Level-1C, row, column), and the probability and mask recorded for each."""
    if find_spec("lightgbm") is None or find_spec("s2cloudless") is None:
        pytest.skip("the extra clouds is not installed")
    if "MINEMAP_TEST_DATA" not in os.environ:
        pytest.skip("MINEMAP_TEST_DATA names no folder of real data")
    folder = Path(os.environ["MINEMAP_TEST_DATA"]) / "eo-learn-s2-l1c"
    order = list(SHOWN.values())
    scenes = np.moveaxis(np.load(folder / "REFERENCE_SCENES.npy"), -1, 1)
    probability = np.load(folder / "TestEOPatch" / "data" / "CLP_S2C.npy")[order, :, :, 0]
    return scenes, probability, np.load(folder / "TestEOPatch" / "mask" / "CLM_S2C.npy")[order, :, :, 0]


def of_model(scene: npt.NDArray[np.float32], model: ModelMask) -> npt.NDArray[np.float32]:
    names = list(SENTINEL2_BANDS.values())
    return np.ascontiguousarray(scene[[names.index(band) for band in model.bands]])


def test_the_model_gives_the_recorded_probabilities_and_masks() -> None:
    scenes, probability, masks = recorded()
    s2cloudless.cache_clear()
    model = s2cloudless()
    assert model.name.startswith("s2cloudless 1.")
    as_recorded = replace(model, working_m=10.0, smoothing_m=40.0, growth_m=20.0)
    for scene, expected, mask in zip(scenes, probability, masks, strict=True):
        pixels = of_model(scene, model)
        found = model.predict(pixels.reshape(len(model.bands), -1).T)
        assert np.abs(found.reshape(expected.shape) - expected).max() < 1e-6
        assert (as_recorded.hides(pixels, 10.0) == mask).all()
        assert (model.hides(pixels, 10.0) == mask).mean() > 0.99


def test_a_cloud_over_one_half_of_a_real_scene_hides_that_half() -> None:
    scenes, _, _ = recorded()
    model = s2cloudless()
    half = of_model(scenes[3], model)
    half[:, :, :48] = of_model(scenes[0], model)[:, :, :48]
    found = model.hides(half, 10.0)
    assert found[:, :48].all()
    reach = int(model.margin_m / 10.0) + 6
    assert not found[:, 48 + reach :].any()
    assert found[:, 48:].mean() > 0.1  # the cloud's edge is grown
