"""Promotion: the copy of a model that maps are made with, pinned until another one is promoted."""

import shutil

from minemap_assets.errors import PermanentError
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition, PartitionWriter
from minemap_assets.segmentation.artefact import FILES, MODEL, content_version, load_model


def promote_model(model_partition: Partition, writer: PartitionWriter) -> Outcome:
    """Copy a model folder and check that the copy has the same content hash. Raises `BadInputError` for a bad model."""
    model = load_model(model_partition)
    folder = writer.path(MODEL)
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(model.folder / name, folder / name)
    if content_version(folder) != model.version:
        raise PermanentError(f"the model in {model.folder} changed while it was copied; promote it again")
    writer.add(MODEL)
    products = {name: dict(card.operating_points) for name, card in sorted(model.card.products.items())}
    return Outcome({"version": model.version, "products": products, "bands": list(model.card.bands)})
