"""Overlapping chips become one picture without seams."""

import numpy as np

from minemap_assets.chips.tiling import tile_offsets
from minemap_assets.segmentation.blending import ChipProbability, blend, window
from minemap_assets.segmentation.scale import to_stored


def cut(truth: np.ndarray, size: int, overlap: int, shift: float = 0.0) -> list[ChipProbability]:
    offsets = tile_offsets(truth.shape[0], size, overlap)
    seen = np.ones((size, size), dtype=np.bool_)
    return [
        ChipProbability(r, c, (truth[r : r + size, c : c + size] + shift * n).astype(np.float32), seen)
        for n, (r, c) in enumerate((r, c) for r in offsets for c in offsets)
    ]


def test_chips_that_agree_give_back_the_whole() -> None:
    truth = np.random.default_rng(0).random((100, 100))
    np.testing.assert_array_equal(blend(100, 100, cut(truth, 64, 16)), to_stored(truth.astype(np.float32)))


def test_chips_that_disagree_leave_no_seam() -> None:
    flat = np.full((112, 112), 0.2)
    found = blend(112, 112, cut(flat, 64, 16, shift=0.2)).astype(int)
    assert found[0, 0] == to_stored(np.array([0.2]))[0]
    assert found[-1, -1] == to_stored(np.array([0.8]))[0]
    # Steps of 0.2 and 0.4 (51 and 102 stored) are spread over the 16 shared pixels.
    assert np.abs(np.diff(found, axis=1)).max() <= 12
    assert np.abs(np.diff(found, axis=0)).max() <= 24


def test_what_no_chip_saw_is_not_observed() -> None:
    seen = np.ones((8, 8), dtype=np.bool_)
    seen[:, :3] = False
    found = blend(8, 12, [ChipProbability(0, 0, np.full((8, 8), 0.5, dtype=np.float32), seen)])
    assert (found[:, :3] == 255).all()
    assert (found[:, 3:8] == 127).all()
    assert (found[:, 8:] == 255).all()


def test_the_window_is_symmetric_and_never_zero() -> None:
    weights = window(64)
    np.testing.assert_allclose(weights, weights[::-1, ::-1], rtol=1e-5)
    np.testing.assert_allclose(weights, weights.T)
    assert weights.min() > 0
    assert weights[31, 31] > 0.99
