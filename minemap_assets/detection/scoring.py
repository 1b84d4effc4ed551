"""Scores of patches: what each member of a classifier says of each patch of a tile. Imports torch: import it late."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit

from minemap_assets.detection.networks.patch_networks import PatchClassifier, PatchNetwork
from minemap_assets.detection.networks.shared_features import SharedFeatures
from minemap_assets.detection.patch_grid import STRIDE
from minemap_assets.imagery.products import Product
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.config import Device, Precision
from minemap_assets.segmentation.devices import choose_device, choose_precision, side_by_side

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

BATCH = 32
"""Patches that go through a network at a time on a CPU: what they leave behind fits into the caches."""

BATCH_GPU = 512


def network_input(pixels: npt.NDArray[np.uint16], product: Product) -> Floats:
    """What networks read of stored pixels (band, row, column): physical numbers, reflectance cut off at 0 and 1, and 0
    where nothing was observed.
    """
    values = np.nan_to_num(product.encoding.physical(pixels), nan=0.0)
    return np.clip(values, 0.0, 1.0) if product.encoding.light else values


class PatchScorer:
    """An ensemble on a device, ready to score images that begin and end with a patch."""

    def __init__(
        self,
        networks: Sequence[PatchClassifier],
        device: Device = "auto",
        threads: int = 1,
        calibration: Calibration | None = None,
        precision: Precision = "float32",
    ) -> None:
        self._calibration = calibration or Calibration()
        self._device = choose_device(device)
        self._type = choose_precision(precision, self._device)
        self._threads = threads
        self._networks = [
            one.to(self._device, self._type).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
            for one in networks
        ]
        self.pixels = networks[0].shape.pixels
        self.bands = networks[0].shape.bands

    def scores(self, image: Floats, rows: Positions, columns: Positions) -> Floats:
        """P(mine) (patch, member) by patches whose north-western pixels are `rows` and `columns` of an image (band,
        row, column). A patch scores the same in any company.
        """
        if not len(rows):
            return np.zeros((0, len(self._networks)), np.float32)
        score = self._how(image, rows, columns)
        workers = side_by_side(len(self._networks)) if self._device.type == "cpu" else 1
        with ThreadPoolExecutor(workers, "classifier", torch.set_num_threads, (self._threads,)) as threads:
            return np.stack(list(threads.map(score, self._networks)), axis=1)

    def _how(self, image: Floats, rows: Positions, columns: Positions) -> Callable[[PatchClassifier], Floats]:
        """On a CPU published networks share what half-overlapping patches have in common."""
        whole = all((size - self.pixels) % STRIDE == 0 for size in image.shape[1:])
        if self._device.type == "cpu" and whole and SharedFeatures.fits(self._networks[0], STRIDE):
            pixels = torch.from_numpy(image)[None].to(self._type).contiguous(memory_format=torch.channels_last)
            return lambda network: self._shared(network, pixels, rows, columns)
        windows = np.lib.stride_tricks.sliding_window_view(image, (self.pixels, self.pixels), axis=(1, 2))
        batch = BATCH_GPU if self._device.type == "cuda" else BATCH
        places = np.arange(-(-len(rows) // batch) * batch) % len(
            rows
        )  # a batch of another size adds up in another order
        patches = torch.from_numpy(
            np.ascontiguousarray(windows[:, rows[places], columns[places]].transpose(1, 2, 3, 0))
        )
        batches = torch.split(patches.permute(0, 3, 1, 2), batch)
        return lambda network: self._alone(network, batches)[: len(rows)]

    @torch.inference_mode()
    def _alone(self, network: PatchClassifier, batches: Sequence[torch.Tensor]) -> Floats:
        """In whatever thread: torch's modes are a thread's own."""
        return self._probability(torch.cat([network(batch.to(self._device, self._type)) for batch in batches]))

    @torch.inference_mode()
    def _shared(self, network: PatchClassifier, image: torch.Tensor, rows: Positions, columns: Positions) -> Floats:
        assert isinstance(network, PatchNetwork)
        return self._probability(SharedFeatures(network, STRIDE).margins(image, rows, columns, BATCH))

    def _probability(self, margins: torch.Tensor) -> Floats:
        exact = margins.double().cpu().numpy()
        found: Floats = expit(exact * self._calibration.scale + self._calibration.shift).astype(np.float32)
        return found
