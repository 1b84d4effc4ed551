"""Prediction: margins and probabilities of whole chips. Imports torch: import it late."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.artefact import Model
from minemap_assets.segmentation.config import Device, SegmentationConfig
from minemap_assets.segmentation.folding import fold
from minemap_assets.segmentation.network import MineSegformer, load_network
from minemap_assets.segmentation.normalisation import Normalisation

Pixels = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float32]


def choose_device(wanted: Device) -> torch.device:
    """The device to compute on. Raises `BadInputError` where a GPU is asked for and there is none."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise BadInputError("device is 'cuda' and torch sees no GPU; set [segmentation] device to 'auto' or 'cpu'")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def margins(
    network: MineSegformer, chips: Iterable[Pixels], normalisation: Normalisation, batch: int
) -> Iterator[Floats]:
    """Margins (row, column) of chips (band, row, column), in order, `batch` at a time."""
    device = next(network.parameters()).device
    waiting = iter(chips)
    while group := list(islice(waiting, batch)):
        inputs = torch.from_numpy(normalisation.apply(np.stack(group))).to(device)
        with torch.inference_mode():
            found = network.margin(inputs).float().cpu().numpy()
        yield from found


class Predictor:
    """A loaded model on a device, its head folded."""

    def __init__(self, model: Model, config: SegmentationConfig) -> None:
        self.model = model
        self._batch = config.batch_predict
        device = choose_device(config.device)
        if device.type == "cpu":
            torch.set_num_threads(config.threads)
        self.network = fold(load_network(model.folder)).to(device)

    def probabilities(self, product: str, bands: Sequence[str], chips: Iterable[Pixels]) -> Iterator[Floats]:
        """Calibrated P(mine) (row, column) of chips, in order. Raises `BadInputError` for an unknown product."""
        about = self.model.product(product)
        if tuple(bands) != self.model.card.bands:
            raise BadInputError(
                f"the model was trained on {', '.join(self.model.card.bands)} and the chips have {', '.join(bands)}; "
                "make the chips with the model's bands"
            )
        for margin in margins(self.network, chips, about.normalisation, self._batch):
            yield about.calibration.probability(margin)
