"""What half-overlapping patches share is computed once, and every patch scores as it does alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_weights import random_network
from minemap_assets.detection.networks.shapes import Group, PatchShape
from minemap_assets.detection.networks.shared_features import SharedFeatures
from minemap_assets.detection.scoring import PatchScorer

STRIDE = 24


def group(filters: int, convolutions: int, pool: int) -> Group:
    """A group by its three numbers."""
    return Group(filters=filters, convolutions=convolutions, pool=pool)


@st.composite
def shapes(draw: st.DrawFn) -> PatchShape:
    """Networks whose first group can be shared."""
    first = group(draw(st.integers(1, 4)), draw(st.integers(1, 2)), draw(st.sampled_from([2, 3, 4])))
    return PatchShape(
        pixels=48,
        bands=draw(st.integers(1, 3)),
        groups=(first, group(3, 1, 2)),
        dense=(4,),
        outputs=draw(st.sampled_from([1, 2])),
        normalised=draw(st.booleans()),
    )


@settings(max_examples=25, deadline=None)
@given(shape=shapes(), seed=st.integers(0, 99), across=st.integers(1, 4), batch=st.sampled_from([1, 5, 32]))
def test_every_patch_scores_as_it_does_alone(shape: PatchShape, seed: int, across: int, batch: int) -> None:
    network = random_network(shape, seed)
    assert SharedFeatures.fits(network, STRIDE)
    size = (across - 1) * STRIDE + 48
    image = torch.rand((1, shape.bands, 72, size), generator=torch.Generator().manual_seed(seed))
    rows, columns = (axis.ravel() * STRIDE for axis in np.indices((2, across)))
    patches = torch.cat([image[:, :, r : r + 48, c : c + 48] for r, c in zip(rows, columns, strict=True)])
    with torch.inference_mode():
        alone = network(patches)
        together = SharedFeatures(network, STRIDE).margins(image, rows, columns, batch)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", [48, 44])
def test_a_patch_scores_the_same_in_any_company(side: int) -> None:
    """To the last bit; patches of 48 pixels share features here, others do not."""
    shape = PatchShape(pixels=side, bands=2, groups=(group(6, 2, 2), group(4, 1, 2)), dense=(16, 8))
    network = random_network(shape, 1)
    image = np.random.default_rng(2).random((2, 240, 240), dtype=np.float32)
    rows, columns = (axis.ravel() * STRIDE for axis in np.indices((9, 9)))
    scorer = PatchScorer([network], "cpu")
    whole = scorer.scores(image, rows, columns)
    for count in range(0, 81, 7):
        some = np.sort(np.random.default_rng(count).choice(81, count, replace=False))
        np.testing.assert_array_equal(scorer.scores(image, rows[some], columns[some]), whole[some])


@pytest.mark.parametrize(("pool", "stride", "fits"), [(2, 24, True), (5, 24, False), (4, 10, False)])
def test_only_whole_steps_of_the_pooling_are_shared(pool: int, stride: int, fits: bool) -> None:
    network = random_network(PatchShape(pixels=48, bands=1, groups=(group(2, 1, pool),), dense=(2,)), 0)
    assert SharedFeatures.fits(network, stride) is fits
