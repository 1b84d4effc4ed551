"""The encoder of a SegFormer of transformers, from a folder or the hub, as initial weights. Imports torch: import it
late.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.networks import pretrained
from minemap_assets.segmentation.networks.files import network_facts
from minemap_assets.segmentation.networks.inflation import RGB, inflated
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.segformer import Segformer
from minemap_assets.segmentation.networks.shapes import SegformerShape, check_encoder

_OWNER = "nvidia/"
_NOT_COMMERCIAL = (
    "NVIDIA's licence of the published SegFormer weights allows research and evaluation only, no commercial use, and "
    "binds what is trained from them"
)


def from_transformers(network: MineNetwork, source: str | Path, bands: Sequence[str]) -> str:
    """Put in the encoder of a SegFormer, which may have been trained for another task; a sentence on its licence.

    Raises `BadInputError` where there is none, or it does not fit the network or its `bands`.
    """
    place = f"the folder {source}" if isinstance(source, Path) else source
    if not isinstance(network, Segformer):
        raise TypeError(f"a SegFormer's weights do not fit a {type(network).__name__}")
    facts = _facts(source, place)
    shape, count = pretrained.shape_of(facts, place)
    check_encoder(network.shape, shape, place)
    before = _bands_of(count, bands, place)
    encoder = _encoder(shape, count, source, place)
    first = next(m for m in encoder.modules() if isinstance(m, nn.Conv2d))
    first.weight = nn.Parameter(inflated(first.weight.detach(), before, bands))
    network.encoder.load_state_dict(encoder.state_dict())
    if str(source).startswith(_OWNER):
        return f"the encoder started from {source}: {_NOT_COMMERCIAL}"
    return f"the encoder started from {place}, whose licence binds this model too; {_NOT_COMMERCIAL}"


def _facts(source: str | Path, place: str) -> Mapping[str, Any]:
    if isinstance(source, Path):
        return network_facts(source)
    try:
        return pretrained.hub_facts(source)
    except pretrained.UNREADABLE as error:
        raise BadInputError(
            f"{place} is no folder here, and the hub gave no such model: check initial_weights and the network, or "
            "download the model elsewhere and set initial_weights to its folder"
        ) from error


def _encoder(shape: SegformerShape, bands: int, source: str | Path, place: str) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import SegformerModel

    own = Path(source) / pretrained.WEIGHTS_FILE
    try:
        weights = load_file(own) if own.is_file() else source
        return pretrained.filled(SegformerModel, pretrained.transformers_config(shape, bands), weights)
    except (SafetensorError, *pretrained.UNREADABLE) as error:
        raise BadInputError(
            f"the weights of {place} cannot be read or do not fit its config.json; download the model again"
        ) from error


def _bands_of(count: int, bands: Sequence[str], place: str) -> Sequence[str]:
    """Names of the bands of weights that do not say them: three are a picture's, as many as ours are ours."""
    if count == len(RGB):
        return RGB
    if count == len(bands):
        return bands
    raise BadInputError(
        f"the SegFormer of {place} reads {count} bands, of which nobody knows the names; initial weights have 3 (red, "
        f"green, blue) or those of the chips ({len(bands)}: {', '.join(bands)})"
    )
