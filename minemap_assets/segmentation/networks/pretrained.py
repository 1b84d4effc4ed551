"""SegFormers as transformers writes and reads them. Imports torch: import it late.

Names of weights have changed between its versions: only transformers itself translates between them here.
"""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from transformers import PreTrainedModel, SegformerConfig
from transformers.utils import logging

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.networks.initialisation import untouched
from minemap_assets.segmentation.networks.shapes import SegformerShape

WEIGHTS_FILE = "weights.safetensors"
"""Weights in a model folder of format 1; transformers calls them differently, and finds its own by itself."""

CLASSES = 2
"""Other and mine."""

UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, pickle.UnpicklingError)
"""What reading weights and their configuration may raise, in all formats that transformers reads."""

_WORDS = {
    "hidden_sizes": "hidden_sizes",
    "depths": "depths",
    "heads": "num_attention_heads",
    "strides": "strides",
    "decoder_width": "decoder_hidden_size",
    "drop_path": "drop_path_rate",
    "dropout": "classifier_dropout_prob",
}
"""Fields of a shape in transformers' words."""

_FIXED = (
    "num_encoder_blocks",
    "sr_ratios",
    "patch_sizes",
    "mlp_ratios",
    "hidden_act",
    "layer_norm_eps",
    "reshape_last_stage",
)
"""What is the same in every published SegFormer, so that a shape does not say it."""

Loaded = TypeVar("Loaded", bound=PreTrainedModel)


def transformers_config(shape: SegformerShape, bands: int) -> SegformerConfig:
    """The same shape in transformers' words."""
    plain = shape.model_dump(mode="json")
    settings: dict[str, Any] = {theirs: plain[ours] for ours, theirs in _WORDS.items()}
    settings |= {"num_channels": bands, "num_labels": CLASSES}
    return SegformerConfig(**settings)


def hub_facts(name: str) -> dict[str, Any]:
    """`config.json` of a model of the hub, as it is written. Raises one of `UNREADABLE` where it cannot be had."""
    with quiet():
        facts, _ = SegformerConfig.get_config_dict(name)
    return dict(facts)


def shape_of(facts: Mapping[str, Any], place: str) -> tuple[SegformerShape, int]:
    """Shape and number of bands of a SegFormer from its `config.json`. Raises `BadInputError` where it is none, or one
    that a shape cannot say.
    """
    if facts.get("model_type") != "segformer":
        raise BadInputError(
            f"{place} holds a model of the type {facts.get('model_type', 'unknown')!r}; minemap reads SegFormers of "
            "transformers and its own models"
        )
    usual = SegformerConfig().to_dict()
    whole = usual | dict(facts)
    other = [name for name in _FIXED if _plain(whole[name]) != _plain(usual[name])]
    if other:
        raise BadInputError(
            f"the SegFormer of {place} has {other[0]} {whole[other[0]]}; minemap's have {_plain(usual[other[0]])}"
        )
    try:
        shape = SegformerShape.model_validate({ours: whole[theirs] for ours, theirs in _WORDS.items()})
        return shape, int(whole["num_channels"])
    except (ValidationError, TypeError, ValueError) as error:
        raise BadInputError(f"the {place} is damaged: its config.json describes no SegFormer") from error


def check_classes(facts: Mapping[str, Any], place: str) -> None:
    """Raise `BadInputError` where a SegFormer does not tell two classes apart, of which the second is the mine."""
    names = facts.get("id2label")
    listed = {str(k): str(v).lower() for k, v in names.items()} if isinstance(names, Mapping) else {}
    classes = len(listed) or facts.get("num_labels", CLASSES)
    if classes != CLASSES:
        raise BadInputError(f"{place} has {classes} classes; minemap needs two: 0 is other, 1 is mine")
    if "mine" in listed.get("0", "") and "mine" not in listed.get("1", ""):
        raise BadInputError(f"class 0 of {place} is {listed['0']!r}; minemap needs the mine as class 1")


def filled(kind: type[Loaded], config: SegformerConfig, weights: str | Path | Mapping[str, torch.Tensor]) -> Loaded:
    """A model of a kind with weights of a folder, of the hub, or in memory.

    Raises `ValueError` or another of `UNREADABLE` where a weight is lacking or has another shape; what else there is,
    such as the head of another task, is left out.
    """
    where: dict[str, Any] = {"pretrained_model_name_or_path": None, "state_dict": None}
    if isinstance(weights, Mapping):
        where["state_dict"] = dict(weights)
    else:
        where |= {"pretrained_model_name_or_path": str(weights), "local_files_only": Path(weights).is_dir()}
    with quiet(), untouched():
        made: Any = kind.from_pretrained(**where, config=config, output_loading_info=True, dtype=torch.float32)
    loaded: Loaded
    loaded, found = made
    lacking = sorted(found["missing_keys"]) + sorted(str(key) for key in found["mismatched_keys"])
    if lacking:
        raise ValueError(f"{len(lacking)} weights are lacking or have another shape, the first of them {lacking[0]}")
    return loaded


def written(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """A model's weights under the names that transformers gives them in files, which outlive its versions."""
    from safetensors.torch import load_file

    with TemporaryDirectory() as folder:
        with quiet():
            model.save_pretrained(folder, max_shard_size="1000GB")
        return load_file(Path(folder) / "model.safetensors")


@contextmanager
def quiet() -> Iterator[None]:
    """Without the bars and tables that transformers prints: what is wrong is raised."""
    printing: Any = logging
    level, bars = printing.get_verbosity(), printing.is_progress_bar_enabled()
    printing.set_verbosity_error()
    printing.disable_progress_bar()
    try:
        yield
    finally:
        printing.set_verbosity(level)
        if bars:
            printing.enable_progress_bar()


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
