"""The network: SegFormer (Xie et al. 2021) for any number of bands and two classes. Imports torch: import it late."""

from pathlib import Path
from typing import Any

import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.config import SegmentationConfig

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"


class MineSegformer(torch.nn.Module):
    """(crop, band, row, column) float32 to logits (crop, 2, row, column): other, mine."""

    def __init__(self, config: SegformerConfig) -> None:
        super().__init__()
        self.segformer = SegformerForSemanticSegmentation(config)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits at the size of the input."""
        coarse = self.segformer(pixel_values=inputs).logits
        return torch.nn.functional.interpolate(coarse, size=inputs.shape[-2:], mode="bilinear", align_corners=False)

    def margin(self, inputs: torch.Tensor) -> torch.Tensor:
        """Mine logit minus the other one, (crop, row, column); half the interpolation of `forward`."""
        coarse = self.segformer(pixel_values=inputs).logits
        apart = coarse[:, 1:2] - coarse[:, 0:1]
        fine = torch.nn.functional.interpolate(apart, size=inputs.shape[-2:], mode="bilinear", align_corners=False)
        return fine[:, 0]


def build_network(config: SegmentationConfig, bands: int) -> MineSegformer:
    """A network with random weights, drawn from torch's current seed."""
    settings: dict[str, Any] = {
        "num_channels": bands,
        "num_labels": 2,
        "hidden_sizes": list(config.hidden_sizes),
        "depths": list(config.depths),
        "num_attention_heads": list(config.heads),
        "strides": list(config.strides),
        "decoder_hidden_size": config.decoder_width,
        "drop_path_rate": config.drop_path,
        "classifier_dropout_prob": config.dropout,
    }
    return MineSegformer(SegformerConfig(**settings))


def save_network(network: MineSegformer, folder: Path) -> None:
    """Write `config.json` and `weights.safetensors`."""
    from safetensors.torch import save_file

    network.segformer.config.to_json_file(folder / CONFIG_FILE, use_diff=True)
    state = {name: value.detach().cpu().contiguous() for name, value in network.segformer.state_dict().items()}
    save_file(dict(sorted(state.items())), folder / WEIGHTS_FILE)


def load_network(folder: Path) -> MineSegformer:
    """The network of a model folder, ready to predict. Raises `BadInputError` where weights and config disagree."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = MineSegformer(SegformerConfig.from_json_file(folder / CONFIG_FILE))
    try:
        network.segformer.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except (RuntimeError, SafetensorError, OSError) as error:
        raise BadInputError(
            f"the weights in {folder} do not fit its {CONFIG_FILE}; train or promote the model again"
        ) from error
    return network.eval()
