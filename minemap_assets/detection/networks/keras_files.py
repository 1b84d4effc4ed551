"""The published weights: patch classifiers in Keras' HDF5 files, read without TensorFlow. Imports torch: import it
late.

A file holds one network, or an ensemble whose outputs are put side by side. Keras keeps rows, columns and channels in
that order, so kernels and the first dense layer are turned round.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError
from torch import nn

from minemap_assets.detection.networks.patch_networks import KERAS_EPSILON, PatchNetwork
from minemap_assets.detection.networks.shapes import Group, PatchShape
from minemap_assets.errors import BadInputError

Layer = Mapping[str, Any]
Array = npt.NDArray[np.float32]

_WEIGHTLESS = {"InputLayer", "MaxPooling2D", "Flatten", "Dropout"}


class _OtherError(Exception):
    """The file holds another architecture: what of it."""


def read_keras(path: Path) -> list[PatchNetwork]:
    """The members of a file, in its order, ready to predict.

    Raises `BadInputError` for a file that is none of Keras', and for an architecture other than convolutions of 3 x 3
    with ReLU in groups that a pooling ends, then dense layers.
    """
    try:
        with h5py.File(path) as file:
            config = json.loads(file.attrs["model_config"])
            weights = file["model_weights"]
            networks = [_network(layers, _arrays(names, weights)) for layers, names in _members(config)]
    except _OtherError as other:
        raise BadInputError(
            f"{path} holds a network of another architecture ({other}); what can be read are convolutions of 3 x 3 "
            "pixels with ReLU in groups that a pooling ends, and dense layers after them"
        ) from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadInputError(f"{path} holds no network that Keras saved as HDF5: {error}") from error
    if len({(one.shape.pixels, one.shape.bands) for one in networks}) != 1:
        raise BadInputError(f"the members in {path} do not look at patches of one size and number of bands")
    return networks


def _members(config: Layer) -> Iterator[tuple[Sequence[Layer], Sequence[str]]]:
    """Layers of each member, and the groups of the file that hold its weights."""
    layers = config["config"]["layers"]
    if config["class_name"] == "Sequential":
        yield layers, [one["config"]["name"] for one in layers]
        return
    members = [one for one in layers if one["class_name"] == "Sequential"]
    others = {one["class_name"] for one in layers} - {"Sequential", "InputLayer", "Concatenate"}
    if others or not members:
        raise _OtherError(f"a graph of {', '.join(sorted(others)) or 'no networks'}")
    for one in members:
        yield one["config"]["layers"], [one["config"]["name"]]


def _arrays(names: Sequence[str], weights: h5py.Group) -> dict[tuple[str, str], Array]:
    """Weights by the names of the layer and of what they are to it (kernel, bias, gamma and so on)."""
    found: dict[tuple[str, str], Array] = {}
    for name in names:
        if name not in weights:  # a layer that has none
            continue
        group = weights[name]
        for stored in group.attrs["weight_names"]:
            path = stored.decode() if isinstance(stored, bytes) else stored
            layer, kind = path.split("/")[-2:]
            found[layer, kind.partition(":")[0]] = np.asarray(group[path], np.float32)
    return found


def _network(layers: Sequence[Layer], arrays: Mapping[tuple[str, str], Array]) -> PatchNetwork:
    try:
        shape = _shape(layers)
    except ValidationError as error:
        raise _OtherError(str(error.errors()[0]["msg"])) from None
    network = PatchNetwork(shape)
    ours = iter(_weighted(network))
    flat = False
    for layer in layers:
        name, kind = layer["config"]["name"], layer["class_name"]
        if kind in _WEIGHTLESS:
            continue
        target = next(ours)
        own = {of: array for (at, of), array in arrays.items() if at == name}
        _load(target, own, shape.deepest if kind == "Dense" and not flat else 1)
        flat = flat or kind == "Dense"
    return network.eval()


def _weighted(network: PatchNetwork) -> list[nn.Module]:
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
    return [one for one in (*network.features, *network.head) if isinstance(one, kinds)]


def _shape(layers: Sequence[Layer]) -> PatchShape:
    """The shape of a network by its layers."""
    _, rows, columns, bands = layers[0]["config"]["batch_input_shape"]
    if rows != columns:
        raise _OtherError(f"patches of {rows} x {columns} pixels")
    groups: list[Group] = []
    filters: list[int] = []
    dense: list[Layer] = []
    norms, dropout = 0, 0.0
    for layer in layers[1:]:
        config, kind = layer["config"], layer["class_name"]
        match kind:
            case "Conv2D":
                filters.append(_filters(config))
            case "BatchNormalization":
                norms += 1
                _expect(config["epsilon"], KERAS_EPSILON, "a batch norm's epsilon")
            case "MaxPooling2D":
                groups.append(_group(config, filters))
                filters = []
            case "Dropout":
                dropout = float(config["rate"])
            case "Dense":
                dense.append(config)
            case "Flatten":
                _expect(filters, [], "convolutions that no pooling follows")
            case _:
                raise _OtherError(f"a layer of {kind}")
    convolutions = sum(group.convolutions for group in groups)
    if norms not in {0, convolutions}:
        raise _OtherError(f"{norms} batch norms for {convolutions} convolutions")
    *hidden, last = dense
    _expect({one["activation"] for one in hidden} - {"relu"}, set(), "activations between dense layers")
    _expect(last["activation"], "sigmoid" if last["units"] == 1 else "softmax", "the last activation")
    return PatchShape(
        pixels=rows,
        bands=bands,
        groups=tuple(groups),
        dense=tuple(one["units"] for one in hidden),
        outputs=last["units"],
        normalised=norms > 0,
        dropout=dropout,
    )


def _filters(config: Layer) -> int:
    _expect(list(config["kernel_size"]), [3, 3], "convolutions of")
    _expect((config["padding"], config["activation"]), ("same", "relu"), "a convolution's padding and activation")
    return int(config["filters"])


def _group(config: Layer, filters: Sequence[int]) -> Group:
    pool = set(config["pool_size"]) | set(config["strides"])
    if len(pool) != 1 or config["padding"] != "valid":
        raise _OtherError(f"a pooling of {config['pool_size']} every {config['strides']}")
    if len(set(filters)) != 1:
        raise _OtherError(f"convolutions with {list(filters)} filters before a pooling")
    return Group(filters=filters[0], convolutions=len(filters), pool=pool.pop())


def _expect(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise _OtherError(f"{what} {found}")


def _load(target: nn.Module, arrays: Mapping[str, Array], side: int) -> None:
    """Weights of one layer; a dense layer after the flattening finds pixels of `side` x `side` in Keras' order."""
    if isinstance(target, nn.BatchNorm2d):
        theirs = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        found = {ours: arrays[name] for ours, name in theirs.items()}
    else:
        kernel = arrays["kernel"]
        if isinstance(target, nn.Conv2d):
            kernel = kernel.transpose(3, 2, 0, 1)
        else:
            turned = kernel.reshape(side, side, -1, kernel.shape[1]).transpose(3, 2, 0, 1)
            kernel = turned.reshape(kernel.shape[1], -1)
        found = {"weight": kernel, "bias": arrays["bias"]}
    with torch.no_grad():
        for name, array in found.items():
            own = target.get_parameter(name) if name in {"weight", "bias"} else target.get_buffer(name)
            if tuple(own.shape) != array.shape:
                raise _OtherError(f"weights of {array.shape} for {tuple(own.shape)}")
            own.copy_(torch.from_numpy(np.ascontiguousarray(array)))
