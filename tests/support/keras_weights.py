"""Patch networks as files in Keras' form: what the published weights look like, in any size."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import nn

from minemap_assets.detection.networks.patch_networks import PatchNetwork
from minemap_assets.detection.networks.shapes import PatchShape


def random_network(shape: PatchShape, seed: int) -> PatchNetwork:
    """A network with random weights."""
    torch.manual_seed(seed)
    network = PatchNetwork(shape).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.get_buffer("running_mean"), -0.1, 0.1)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 1.5)
    return network


def write_sequential(network: PatchNetwork, path: Path) -> None:
    """A file with one network."""
    layers, arrays = _layers(network)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
        weights = file.create_group("model_weights")
        for layer in layers:
            name = layer["config"]["name"]
            _put(weights.create_group(name), {path: one for path, one in arrays.items() if path.split("/")[0] == name})


def write_ensemble(networks: Sequence[PatchNetwork], path: Path) -> None:
    """A file with several networks whose outputs are put side by side."""
    members = [_layers(network) for network in networks]
    layers: list[dict[str, Any]] = [{"class_name": "InputLayer", "config": {"name": "image"}}]
    for number, (own, _) in enumerate(members):
        layers.append({"class_name": "Sequential", "config": {"name": f"member_{number}", "layers": own}})
    layers.append({"class_name": "Concatenate", "config": {"name": "together"}})
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {"layers": layers}})
        weights = file.create_group("model_weights")
        for number, (_, arrays) in enumerate(members):
            _put(weights.create_group(f"member_{number}"), arrays)


def _put(group: h5py.Group, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    group.attrs["weight_names"] = [name.encode() for name in arrays]
    for name, values in arrays.items():
        group.create_dataset(name, data=values)


def _layers(network: PatchNetwork) -> tuple[list[dict[str, Any]], dict[str, np.ndarray[Any, Any]]]:
    shape = network.shape
    side = [None, shape.pixels, shape.pixels, shape.bands]
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"name": "input", "batch_input_shape": side}}
    ]
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    flat = False
    for number, module in enumerate([*network.features, nn.Flatten(), *network.head]):
        name = f"layer_{number}"
        found = _layer(module, shape)
        if found is None:
            continue
        kind, config = found
        layers.append({"class_name": kind, "config": {"name": name, **config}})
        first = kind == "Dense" and not flat
        arrays |= {f"{name}/{of}:0": value for of, value in _weights(module, shape.deepest if first else 1).items()}
        flat = flat or kind == "Dense"
    last = layers[-1]["config"]
    last["activation"] = "sigmoid" if shape.outputs == 1 else "softmax"
    return layers, arrays


def _layer(module: nn.Module, shape: PatchShape) -> tuple[str, dict[str, Any]] | None:
    found: tuple[str, dict[str, Any]] | None = None
    match module:
        case nn.Conv2d():
            kernel = {"kernel_size": [3, 3], "padding": "same", "activation": "relu"}
            found = "Conv2D", {"filters": module.out_channels, **kernel}
        case nn.BatchNorm2d():
            found = "BatchNormalization", {"epsilon": module.eps}
        case nn.MaxPool2d():
            pool = [module.kernel_size, module.kernel_size]
            found = "MaxPooling2D", {"pool_size": pool, "strides": pool, "padding": "valid"}
        case nn.Flatten():
            found = "Flatten", {}
        case nn.Linear():
            found = "Dense", {"units": module.out_features, "activation": "relu"}
        case nn.Dropout():
            found = "Dropout", {"rate": shape.dropout}
    return found


def _weights(module: nn.Module, side: int) -> dict[str, np.ndarray[Any, Any]]:
    """Weights in Keras' order of axes; a dense layer after the flattening reads `side` x `side` pixels."""
    match module:
        case nn.Conv2d(bias=nn.Parameter() as bias):
            return {"kernel": module.weight.detach().numpy().transpose(2, 3, 1, 0), "bias": bias.detach().numpy()}
        case nn.BatchNorm2d(running_mean=torch.Tensor() as mean, running_var=torch.Tensor() as spread):
            gamma, beta = module.weight.detach().numpy(), module.bias.detach().numpy()
            return {"gamma": gamma, "beta": beta, "moving_mean": mean.numpy(), "moving_variance": spread.numpy()}
        case nn.Linear():
            rows = module.weight.detach().numpy()
            kernel = rows.reshape(len(rows), -1, side, side).transpose(2, 3, 1, 0).reshape(-1, len(rows))
            return {"kernel": kernel, "bias": module.bias.detach().numpy()}
        case _:
            return {}
