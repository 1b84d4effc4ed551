"""Prediction: margins and probabilities of whole chips, as a stream. Imports torch: import it late."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.segmentation.artefact import Model
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.devices import choose_device, choose_precision, side_by_side
from minemap_assets.segmentation.inputs import enlarged, moments, normalised, reduced
from minemap_assets.segmentation.networks.files import load_networks
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.preparation import Compiled, is_out_of_memory, prepared
from minemap_assets.segmentation.working_ahead import ahead

Pixels = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float32]
Margin = Callable[[torch.Tensor], torch.Tensor]
Tell = Callable[[str], None]

COMPILE_FROM = 2_000
"""Chips from which compiling pays: it takes about a minute a network, and saves up to half of some tens of milliseconds
a chip.
"""


@dataclass(frozen=True, eq=False)
class _Group:
    """Chips uint16 (chip, band, row, column); those behind the first `count` are padding."""

    pixels: Pixels
    count: int


def margins(
    networks: Sequence[MineNetwork],
    chips: Iterable[Pixels],
    normalisation: Normalisation,
    reduction: int,
    batch: int,
    precision: torch.dtype = torch.float32,
) -> Iterator[Floats]:
    """Mean margin (row, column) of an ensemble for chips (band, row, column), in order, on the networks' device.

    The networks stay as they are. `chips` are read in another thread while the networks work, two batches at most. On a
    GPU up to `batch` chips go through together; on a CPU one at a time, which is faster there (what a chip leaves
    behind fits into the caches) and makes its margins the same bytes in any company. Raises `PermanentError` where not
    even one chip fits into memory.
    """
    ready = [prepared(network, precision) for network in networks]
    device = next(networks[0].parameters()).device
    yield from ChipStream(ready, device, at_once(device, batch), normalisation, reduction).of(chips)


class Predictor:
    """A loaded model on a device, ready to predict. `tell` hears what a person should know."""

    def __init__(self, model: Model, config: SegmentationConfig, tell: Tell = warnings.warn) -> None:
        self.model = model
        self._config = config
        self._tell = tell
        self._device = choose_device(config.device)
        precision = choose_precision(config.precision, self._device)
        self._networks = [
            prepared(network.to(self._device), precision)
            for network in load_networks(model.folder, len(model.card.bands))
        ]

    def probabilities(
        self, product: str, bands: Sequence[str], chips: Iterable[Pixels], count: int = 0
    ) -> Iterator[Floats]:
        """Calibrated P(mine) (row, column) of chips, in order. Raises `BadInputError` for an unknown product.

        `count` is how many chips there will be, as far as that is known: on a GPU the networks are compiled for many.
        """
        about = self.model.product(product)
        if tuple(bands) != self.model.card.bands:
            raise BadInputError(
                f"the model was trained on {', '.join(self.model.card.bands)} and the chips have {', '.join(bands)}; "
                "make the chips with the model's bands"
            )
        stream = ChipStream(
            self._compiled(count),
            self._device,
            at_once(self._device, self._config.batch_predict),
            about.normalisation,
            self.model.card.reduction,
            about.calibration,
        )
        if self._device.type == "cpu":
            # A thread has its own number of threads, and this one may not be the thread that made the predictor.
            torch.set_num_threads(self._config.threads)
        yield from stream.of(chips)

    def _compiled(self, count: int) -> Sequence[Margin]:
        if self._device.type == "cuda" and count >= COMPILE_FROM:
            return [Compiled(network, self._tell) for network in self._networks]
        return self._networks


@torch.inference_mode()
def _margin(network: Margin, inputs: torch.Tensor) -> torch.Tensor:
    """In whatever thread: torch's modes are a thread's own."""
    return network(inputs).float()


def _groups(chips: Iterable[Pixels], size: int) -> Iterator[_Group]:
    """All groups are of one size: the last one is filled up with chips that were not observed."""
    waiting = iter(chips)
    while held := list(islice(waiting, size)):
        pixels = np.stack(held + [np.zeros_like(held[0])] * (size - len(held)))
        yield _Group(pixels, len(held))


def at_once(device: torch.device, batch: int) -> int:
    """How many chips go through a network together where `batch` are the most."""
    return batch if device.type == "cuda" else 1


class ChipStream:
    """Runs groups of `size` chips through networks, so that shapes never change; `size` only falls, where memory runs
    out.

    What comes out are margins, or probabilities where there is a calibration.
    """

    def __init__(
        self,
        networks: Sequence[Margin],
        device: torch.device,
        size: int,
        normalisation: Normalisation,
        reduction: int,
        calibration: Calibration | None = None,
    ) -> None:
        self.networks = networks
        self.device = device
        self.size = size
        self.mean, self.spread = moments(normalisation, device)
        self.reduction = reduction
        self.calibration = calibration

    def of(self, chips: Iterable[Pixels]) -> Iterator[Floats]:
        """Margins or probabilities (row, column), in order."""
        workers = side_by_side(len(self.networks)) if self.device.type == "cpu" else 1
        threads = ThreadPoolExecutor(workers, "network", torch.set_num_threads, (torch.get_num_threads(),))
        with threads, closing(ahead(_groups(chips, self.size))) as groups:
            for group in groups:
                yield from self._of_group(group, threads)

    def _of_group(self, group: _Group, threads: Executor) -> Iterator[Floats]:
        done = 0
        while done < group.count:
            part = group.pixels[done : done + self.size]
            found = self._tried(part, threads)
            if found is None:
                self._shrink(part)
                continue
            yield from found[: group.count - done]
            done += len(part)

    def _tried(self, pixels: Pixels, threads: Executor) -> Floats | None:
        """None where memory ran out: what the error holds on to is free again when this has returned."""
        try:
            return self._run(pixels, threads)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    @torch.inference_mode()
    def _run(self, pixels: Pixels, threads: Executor) -> Floats:
        chips = torch.from_numpy(pixels)
        if self.device.type == "cuda":
            chips = chips.pin_memory().to(self.device, non_blocking=True)
        inputs = normalised(reduced(chips, self.reduction), self.mean, self.spread)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        first, *others = threads.map(lambda network: _margin(network, inputs), self.networks)
        total = first
        for margin in others:
            total = total + margin
        fine = enlarged(total / len(self.networks), (int(chips.shape[-2]), int(chips.shape[-1])))
        if self.calibration is not None:
            fine = torch.sigmoid(fine * self.calibration.scale + self.calibration.shift)
        found: Floats = fine.cpu().numpy()
        return found

    def _shrink(self, pixels: Pixels) -> None:
        if self.size == 1:
            raise PermanentError(
                f"the memory of the {'GPU' if self.device.type == 'cuda' else 'machine'} does not hold the network's "
                f"work on one chip of {pixels.shape[-2]} x {pixels.shape[-1]} pixels; "
                "predict on a machine with more of it, or train a smaller network"
            )
        self.size //= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
