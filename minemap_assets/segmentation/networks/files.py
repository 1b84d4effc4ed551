"""Networks as files: `config.json` says the shape, and one safetensors file a member the weights. Imports torch: import
it late.

Folders of transformers' own SegFormer, and minemap's of format 1, which are such a SegFormer in other file names, are
read too.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.shapes import ANY_SHAPE, NetworkShape, UNetShape

CONFIG_FILE = "config.json"

_UNREADABLE = (OSError, ValueError, TypeError, KeyError, RuntimeError)


def build(shape: NetworkShape, bands: int) -> MineNetwork:
    """A network with random weights, drawn from torch's current seed."""
    if isinstance(shape, UNetShape):
        from minemap_assets.segmentation.networks.unet import UNet

        return UNet(shape, bands)
    from minemap_assets.segmentation.networks.segformer import Segformer

    return Segformer(shape, bands)


def weights_file(member: int) -> str:
    """Name of the weights of one member of an ensemble."""
    return f"weights-{member}.safetensors"


def save_networks(networks: Sequence[MineNetwork], folder: Path) -> None:
    """Write the members of an ensemble, which have one shape."""
    from safetensors.torch import save_file

    first = networks[0]
    facts = {"bands": first.bands, "members": len(networks), "network": first.shape.model_dump(mode="json")}
    (folder / CONFIG_FILE).write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for member, network in enumerate(networks):
        save_file(dict(sorted(network.weights().items())), folder / weights_file(member))


def load_networks(folder: Path, bands: int | None = None) -> list[MineNetwork]:
    """The members of a model folder, ready to predict; of a folder of transformers the only one.

    Raises `BadInputError` where the folder holds no such networks, where weights and shape disagree, or where `bands`
    is given and the networks read another number of them.
    """
    facts = network_facts(folder)
    found = _members(folder, facts) if "network" in facts else [_segformer(folder, facts)]
    if bands is not None and found[0].bands != bands:
        raise BadInputError(f"the network in {folder} reads {found[0].bands} bands, and {bands} are needed")
    return [network.eval() for network in found]


def network_facts(folder: Path) -> dict[str, Any]:
    """`config.json` of a folder. Raises `BadInputError` where there is none that can be read."""
    try:
        facts = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInputError(f"{folder} holds no model: it has no {CONFIG_FILE}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(
            f"{folder / CONFIG_FILE} cannot be read; train, import or promote the model again"
        ) from error
    if not isinstance(facts, dict):
        raise BadInputError(f"{folder / CONFIG_FILE} describes no network; train, import or promote the model again")
    return facts


def _members(folder: Path, facts: Mapping[str, Any]) -> list[MineNetwork]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        shape, bands = ANY_SHAPE.validate_python(facts["network"]), int(facts["bands"])
        members = int(facts["members"])
        if bands < 1:
            raise ValueError(f"{bands} bands")
    except (ValidationError, *_UNREADABLE) as error:
        raise BadInputError(
            f"{folder / CONFIG_FILE} describes no network; train, import or promote the model again"
        ) from error
    lacking = next((name for name in map(weights_file, range(members)) if not (folder / name).is_file()), None)
    if lacking or members < 1:
        raise BadInputError(f"{folder} lacks {lacking or weights_file(0)}; train, import or promote the model again")
    networks = []
    for name in map(weights_file, range(members)):
        try:
            with torch.device("meta"):
                network = build(shape, bands)
            network.take(load_file(folder / name))
        except (SafetensorError, *_UNREADABLE) as error:
            raise _mismatch(folder / name) from error
        networks.append(network)
    return networks


def _segformer(folder: Path, facts: Mapping[str, Any]) -> MineNetwork:
    """A SegFormer that transformers wrote."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import SegformerForSemanticSegmentation

    from minemap_assets.segmentation.networks import pretrained
    from minemap_assets.segmentation.networks.segformer import Segformer

    shape, bands = pretrained.shape_of(facts, str(folder))
    pretrained.check_classes(facts, str(folder))
    config = pretrained.transformers_config(shape, bands)
    own = folder / pretrained.WEIGHTS_FILE
    try:
        weights = load_file(own) if own.is_file() else folder
        inner = pretrained.filled(SegformerForSemanticSegmentation, config, weights)
        with torch.device("meta"):
            network = Segformer(shape, bands)
    except (SafetensorError, *pretrained.UNREADABLE) as error:
        raise _mismatch(folder) from error
    network.inner = inner
    return network


def _mismatch(place: Path) -> BadInputError:
    return BadInputError(
        f"the weights in {place} are lacking, damaged, or do not fit {CONFIG_FILE}; train, import or promote the model "
        "again"
    )
