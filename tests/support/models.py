"""Model folders of fixture size, made without training."""

from pathlib import Path
from typing import Any

from minemap_assets.segmentation.artefact import ModelCard, ProductCard, content_version, write_card
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.networks.shapes import UNetShape
from minemap_assets.segmentation.normalisation import Normalisation

BANDS = ("blue", "green", "red", "nir")
PRODUCTS = ("planet-nicfi", "sentinel-2-l2a")


def product_card(bands: tuple[str, ...] = BANDS, **changes: Any) -> ProductCard:
    """What a model knows of a product whose values are about 1000."""
    facts: dict[str, Any] = {
        "normalisation": Normalisation(mean=(1000.0,) * len(bands), spread=(500.0,) * len(bands)),
        "calibration": Calibration(scale=0.9, shift=-0.1),
        "operating_points": {"match_area": 0.4, "max_miou": 0.6},
        "chosen_on": "folds",
        "metrics": {"match_area": {"iou": 0.5, "miou": 0.7}},
    }
    return ProductCard.model_validate(facts | changes)


def write_model(
    folder: Path,
    seed: int = 0,
    bands: tuple[str, ...] = BANDS,
    products: dict[str, ProductCard] | None = None,
    **card: Any,
) -> str:
    """Write a U-Net of random weights as a model folder; returns its version."""
    import torch

    from minemap_assets.segmentation.networks.files import build, save_networks

    folder.mkdir(parents=True, exist_ok=True)
    shape = UNetShape(widths=(4, 8), stem=2, detail=0, dropout=0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        save_networks([build(shape, len(bands)).eval()], folder)
    known = products if products is not None else {name: product_card(bands) for name in PRODUCTS}
    facts = {"bands": bands, "products": known, "recipe": {"network": shape.model_dump(mode="json")}}
    write_card(ModelCard.model_validate(facts | card), folder)
    return content_version(folder)
