"""Models with random weights: what predicts with them does not ask how they were trained."""

from pathlib import Path

import torch

from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.segmentation.artefact import LOG, MODEL, ModelCard, ProductCard, write_card
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.networks.files import build, save_networks
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.shapes import NetworkShape, SegformerShape, UNetShape
from minemap_assets.segmentation.normalisation import Normalisation

BANDS = ("blue", "green", "red", "nir")
PRODUCT = "planet-nicfi"
NORMALISATION = Normalisation(mean=(800.0, 900.0, 1000.0, 2500.0), spread=(400.0,) * 4)
CALIBRATION = Calibration(scale=1.5, shift=-0.25)

UNET = UNetShape(widths=(6, 8), detail=2)
SEGFORMER = SegformerShape(hidden_sizes=(8, 8, 16, 16), heads=(1, 1, 2, 2), decoder_width=16, drop_path=0.0)


def random_network(shape: NetworkShape, seed: int) -> MineNetwork:
    """A network in evaluation mode whose norms have seen something."""
    torch.manual_seed(seed)
    network = build(shape, len(BANDS))
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.randn(4, len(BANDS), 64, 64))
    return network.eval()


def write_model(
    folder: Path, shape: NetworkShape = UNET, *, members: int = 2, reduction: int = 2, seed: int = 0
) -> None:
    """The files of a model folder."""
    folder.mkdir()
    save_networks([random_network(shape, seed + member) for member in range(members)], folder)
    product = ProductCard(
        normalisation=NORMALISATION,
        calibration=CALIBRATION,
        operating_points={"match_area": 0.4, "max_miou": 0.5},
        chosen_on="train",
        metrics={},
    )
    write_card(ModelCard(bands=BANDS, products={PRODUCT: product}, reduction=reduction), folder)
    (folder / LOG).write_bytes(b"")


def publish_model(writer: PartitionWriter, seed: int = 0) -> Outcome:
    """Build of a model partition."""
    write_model(writer.path(MODEL), seed=seed)
    writer.add(MODEL)
    return Outcome()
