"""The patch classifier of a project: published weights that were imported, or one trained on sampling points."""

import tempfile
from pathlib import Path

from minemap_assets.detection.artefact import CLASSIFIER, ClassifierCard, open_classifier, write_card
from minemap_assets.detection.networks.files import save_networks
from minemap_assets.detection.networks.keras_files import read_keras
from minemap_assets.detection.published import WeightsFacts
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter

UNJUDGED = "cannot be judged: no sampling points are registered to score it on"


def build_imported(weights: bytes, facts: WeightsFacts, writer: PartitionWriter) -> Outcome:
    """Write the folder `classifier` from imported weights."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "weights.h5"
        path.write_bytes(weights)
        networks = read_keras(path)
    card = ClassifierCard(
        product=facts.product,
        bands=facts.bands,
        members=tuple(f"member {number + 1}" for number in range(len(networks))),
        verdict=UNJUDGED,
        origin=f"imported from {facts.origin}",
        licence=facts.licence,
        attribution=facts.attribution,
        inputs={"weights": facts.sha256},
    )
    folder = writer.path(CLASSIFIER)
    folder.mkdir(parents=True, exist_ok=True)
    save_networks(networks, folder)
    write_card(card, folder)
    version = open_classifier(folder).version
    writer.add(CLASSIFIER)
    return Outcome(
        {
            "verdict": card.verdict,
            "version": version,
            "origin": card.origin,
            "licence": card.licence,
            "attribution": card.attribution,
            "product": card.product,
            "bands": list(card.bands),
            "members": len(networks),
            "patch_pixels": networks[0].shape.pixels,
        }
    )
