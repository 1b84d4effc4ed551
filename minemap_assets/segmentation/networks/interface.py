"""The interface of every network. Imports torch: import it late."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import torch
from torch import nn

from minemap_assets.segmentation.networks.shapes import NetworkShape


class MineNetwork(nn.Module, ABC):
    """(crop, band, row, column) normalised reflectance to the margin (crop, row, column), at the input's size.

    The margin is the logit of the mine class minus that of everything else: P(mine) is its logistic function, which is
    the softmax of the two.
    """

    shape: NetworkShape
    bands: int

    @abstractmethod
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Margins."""

    @abstractmethod
    def first_layers(self) -> Iterator[nn.Conv2d]:
        """The convolutions that read the bands."""

    @abstractmethod
    def last_layers(self) -> Iterator[nn.Parameter]:
        """Weights of the decoder, which start from random numbers whatever the encoder starts from."""

    @abstractmethod
    def start_at(self, share: float) -> None:
        """Set the last bias so that everything is a mine with probability `share` (0 to 1) before anything is
        learned.
        """

    def folded(self) -> "MineNetwork":
        """The same function for prediction, faster where that is possible; may change this network."""
        return self

    def draw_from(self, generator: torch.Generator) -> bool:  # noqa: ARG002
        """Take all random numbers of training from a generator; False where some come from torch's common one."""
        return False

    def weights(self) -> dict[str, torch.Tensor]:
        """All weights by the names that they have in files, on the CPU."""
        return {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}

    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Use what `weights` gave of a network of the same shape. Raises `ValueError`, `RuntimeError` or another of
        their kind where they do not fit.
        """
        self.load_state_dict(weights, assign=True)

    def start_like(self, other: "MineNetwork") -> None:
        """Copy the weights of a network of the same shape, as `check_encoder` sees it, and the same bands."""
        self.load_state_dict(other.state_dict())
