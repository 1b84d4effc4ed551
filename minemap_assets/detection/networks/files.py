"""Patch networks as files: `config.json` says the shape, and one safetensors file a member the weights. Imports torch:
import it late.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from minemap_assets.detection.networks.patch_networks import PatchClassifier, built
from minemap_assets.detection.networks.shapes import ANY_SHAPE, NetworkShape
from minemap_assets.errors import BadInputError

CONFIG_FILE = "config.json"


def weights_file(member: int) -> str:
    """Name of the weights of one member of an ensemble."""
    return f"weights-{member}.safetensors"


def save_networks(networks: Sequence[PatchClassifier], folder: Path) -> None:
    """Write the members of an ensemble, which have one shape."""
    facts = {"members": len(networks), "network": networks[0].shape.model_dump(mode="json")}
    (folder / CONFIG_FILE).write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for member, network in enumerate(networks):
        weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
        save_file(dict(sorted(weights.items())), folder / weights_file(member))


def load_networks(folder: Path) -> list[PatchClassifier]:
    """The members of a folder, ready to predict. Raises `BadInputError` where it holds none that are whole."""
    try:
        facts = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        shape, members = ANY_SHAPE.validate_python(facts["network"]), int(facts["members"])
        return [_member(shape, folder / weights_file(member)) for member in range(members)]
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, ValidationError, SafetensorError) as error:
        raise BadInputError(
            f"{folder} holds no whole patch classifier; import its weights or train it again"
        ) from error


def _member(shape: NetworkShape, path: Path) -> PatchClassifier:
    with torch.device("meta"):
        network = built(shape)
    network.load_state_dict(load_file(path), assign=True)
    return network.eval()
