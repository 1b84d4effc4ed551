"""Scores of patches: what each member of a classifier says of each patch of a tile. Imports torch: import it late."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch

from minemap_assets.detection.networks.patch_networks import PatchClassifier
from minemap_assets.imagery.products import Product
from minemap_assets.segmentation.config import Device
from minemap_assets.segmentation.devices import choose_device, side_by_side

Floats = npt.NDArray[np.float32]

BATCH = 8
"""Patches that go through a network at a time on a CPU: what they leave behind fits into the caches."""

BATCH_GPU = 512


def network_input(pixels: npt.NDArray[np.uint16], product: Product) -> Floats:
    """What networks read of stored pixels (band, row, column): physical numbers, reflectance cut off at 0 and 1, and 0
    where nothing was observed.
    """
    values = np.nan_to_num(product.encoding.physical(pixels), nan=0.0)
    return np.clip(values, 0.0, 1.0) if product.encoding.light else values


class PatchScorer:
    """An ensemble on a device, ready to score."""

    def __init__(self, networks: Sequence[PatchClassifier], device: Device = "auto", threads: int = 1) -> None:
        self._device = choose_device(device)
        self._threads = threads
        self._networks = [
            one.to(self._device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
            for one in networks
        ]
        self.pixels = networks[0].shape.pixels
        self.bands = networks[0].shape.bands

    def scores(self, image: Floats, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> Floats:
        """P(mine) (patch, member) by patches whose north-western pixels are `rows` and `columns` of an image (band,
        row, column). A patch scores the same in any company.
        """
        if not len(rows):
            return np.zeros((0, len(self._networks)), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(image, (self.pixels, self.pixels), axis=(1, 2))
        patches = torch.from_numpy(np.ascontiguousarray(windows[:, rows, columns].transpose(1, 2, 3, 0)))
        batches = torch.split(patches.permute(0, 3, 1, 2), BATCH_GPU if self._device.type == "cuda" else BATCH)
        workers = side_by_side(len(self._networks)) if self._device.type == "cpu" else 1
        with ThreadPoolExecutor(workers, "classifier", torch.set_num_threads, (self._threads,)) as threads:
            found = threads.map(lambda network: self._of(network, batches), self._networks)
            return np.stack(list(found), axis=1)

    @torch.inference_mode()
    def _of(self, network: PatchClassifier, batches: Sequence[torch.Tensor]) -> Floats:
        """In whatever thread: torch's modes are a thread's own."""
        parts = [network(batch.to(self._device)).sigmoid() for batch in batches]
        found: Floats = torch.cat(parts).float().cpu().numpy()
        return found
