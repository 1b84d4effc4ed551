"""The trained model: from labelled chips to a model folder with weights, calibration and operating points."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from minemap_assets.chips.reader import ChipSet
from minemap_assets.geo.vector import write_parquet
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.listener import Progress, no_progress
from minemap_assets.segmentation.artefact import (
    LOG,
    MODEL,
    HeldOutCounts,
    ModelCard,
    ProductCard,
    content_version,
    write_card,
)
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.learning.folds import Member, members
from minemap_assets.segmentation.normalisation import Normalisation, measure
from minemap_assets.segmentation.recipes import Recipe
from minemap_assets.segmentation.training_set import ChipLibrary, ChipRef, TrainingSet, assemble

if TYPE_CHECKING:
    from minemap_assets.segmentation.held_out import ProductChoice
    from minemap_assets.segmentation.learning.crops import CropSource
    from minemap_assets.segmentation.learning.ensemble import Ensemble


@dataclass(frozen=True)
class Plan:
    """How a training set is used: by which recipe, by which members, and what has to be said of it.

    `chosen_on` says what calibration and operating points come from: see `ProductCard`.
    """

    recipe: Recipe
    members: tuple[Member, ...]
    chosen_on: str
    notes: tuple[str, ...]


def train_model(
    chips: Sequence[ChipSet],
    config: SegmentationConfig,
    writer: PartitionWriter,
    inputs: Mapping[str, str],
    *,
    progress: Progress = no_progress,
    tell: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Train on the labelled chips of any number of regions and products, and write the folder `model`.

    A run that was killed goes on from its last checkpoint, which lies beside the model until that is whole; `tell`
    hears so in a sentence, and `clock` counts the seconds between checkpoints.
    `inputs` are hashes of what is trained on, kept in the model card. Raises `BadInputError` where no chip holds a
    labelled mine pixel, or the chip sets do not fit together. Where a side of the split lacks mines, its part is taken
    by training chips and the card's notes say so.
    """
    import torch

    from minemap_assets.segmentation.devices import choose_device, choose_precision
    from minemap_assets.segmentation.held_out import HeldOut
    from minemap_assets.segmentation.learning.checkpoints import Checkpoints
    from minemap_assets.segmentation.learning.crops import CropSource
    from minemap_assets.segmentation.learning.ensemble import reproducible, train
    from minemap_assets.segmentation.networks.files import save_networks

    training_set = assemble(chips)
    plan = make_plan(training_set, config)
    tell(f"{writer.ref}: {_said(plan, training_set)}")
    library = ChipLibrary(chips, config.chip_cache_megabytes // 2)
    source = CropSource(library, plan.recipe.reduction, config.chip_cache_megabytes // 2)
    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    computer = {"torch": str(torch.__version__), "device": device.type, "precision": str(precision)}
    checkpoints = Checkpoints(writer, config.checkpoint_minutes, about=computer, clock=clock, tell=tell)
    folder = writer.path(MODEL)
    folder.mkdir(parents=True, exist_ok=True)
    with reproducible(config.seed, config.threads):
        taught = [ref for member in plan.members for ref in member.taught]
        normalisation = {p: _measure(taught, source, p, training_set, config) for p in training_set.products}
        held_out = HeldOut(plan.members, chips, library, normalisation, plan.recipe.reduction, config)
        judge = held_out.judge if plan.chosen_on == "validation" else None
        ensemble = train(
            plan.members, source, training_set.bands, normalisation, plan.recipe, config, progress, checkpoints, judge
        )
        networks = [one.network for one in ensemble.trained]
        products: dict[str, ProductCard] = {}
        for done, p in enumerate(training_set.products):
            progress(done, len(training_set.products), "calibrating product", p)
            products[p] = _product_card(held_out.of(networks, p), normalisation[p], plan)
    card = _card(ensemble, products, plan, training_set, config, inputs)
    save_networks(networks, folder)
    write_card(card, folder)
    _write_log(ensemble, folder / LOG)
    version = content_version(folder)
    writer.add(MODEL)
    checkpoints.drop()
    return Outcome(_summary(card, training_set, plan, version))


def make_plan(training_set: TrainingSet, config: SegmentationConfig) -> Plan:
    """The recipe for so many labelled sites, and the members it asks for, as far as the ground allows."""
    finest = min(PRODUCTS[product].resolution for product in training_set.products)
    recipe = config.recipe_for(training_set.labelled_sites, finest)
    notes = list(training_set.notes)
    everything = (*training_set.of("train"), *training_set.of("validation"))
    if recipe.folds > 1:
        dealt = members(everything, recipe.folds)
        if len(dealt) > 1:
            return Plan(recipe, dealt, "folds", tuple(notes))
        notes.append("mines lie in one place only: one model was trained, and nothing tells how sure it may be")
    validation = training_set.of("validation")
    if recipe.folds == 1 and any(ref.mine_fraction > 0 for ref in validation):
        return Plan(recipe, (Member(training_set.of("train"), validation),), "validation", tuple(notes))
    notes.append("calibration and operating points come from ground that was trained on, and are optimistic")
    return Plan(recipe, (Member(everything, everything),), "train", tuple(notes))


def _said(plan: Plan, training_set: TrainingSet) -> str:
    sites, count = training_set.labelled_sites, len(plan.members)
    models = "1 model" if count == 1 else f"{count} models, each without a fold of the ground"
    labelled = "1 site has labelled mines" if sites == 1 else f"{sites} sites have labelled mines"
    return f"{labelled}: recipe {plan.recipe.name}, {plan.recipe.network.architecture}, {models}"


def _measure(
    taught: Sequence[ChipRef], source: "CropSource", product: str, training_set: TrainingSet, config: SegmentationConfig
) -> Normalisation:
    """Mean and spread a band, at the network's resolution, of chips that are trained on."""
    from minemap_assets.segmentation.scoring import evenly

    own = tuple(dict.fromkeys(ref for ref in taught if ref.product == product))
    refs = own or training_set.of("validation", product) or training_set.of("test", product)
    chosen = evenly(refs, config.normalisation_chips)
    return measure((source.read(r).pixels for r in chosen), len(training_set.bands))


def _product_card(held_out: "ProductChoice", normalisation: Normalisation, plan: Plan) -> ProductCard:
    return ProductCard(
        normalisation=normalisation,
        calibration=held_out.calibration,
        operating_points=held_out.operating_points,
        chosen_on=plan.chosen_on if held_out.has_mine else "nothing",
        metrics={name: _rounded(scores) for name, scores in held_out.scores.items()},
        held_out=HeldOutCounts.of(held_out.counts) if held_out.has_mine else None,
    )


def _rounded(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, 6) for name, value in scores.items()}


def _card(
    ensemble: "Ensemble",
    products: dict[str, ProductCard],
    plan: Plan,
    training_set: TrainingSet,
    config: SegmentationConfig,
    inputs: Mapping[str, str],
) -> ModelCard:
    recipe = asdict(plan.recipe) | {"network": plan.recipe.network.model_dump(mode="json")}
    first = ensemble.trained[0]
    return ModelCard(
        bands=training_set.bands,
        products=products,
        reduction=plan.recipe.reduction,
        recipe=recipe,
        labelled_sites=training_set.labelled_sites,
        licence=ensemble.licence,
        best_step=first.best_step,
        inputs=dict(sorted(inputs.items())),
        settings=config.training_settings(),
        notes=plan.notes,
    )


def _write_log(ensemble: "Ensemble", path: Path) -> None:
    rows = [{"member": n, **asdict(row)} for n, one in enumerate(ensemble.trained) for row in one.log]
    write_parquet(pd.DataFrame(rows), path)


def _summary(card: ModelCard, training_set: TrainingSet, plan: Plan, version: str) -> dict[str, object]:
    return {
        "version": version,
        "recipe": plan.recipe.name,
        "network": plan.recipe.network.architecture,
        "members": len(plan.members),
        "labelled_sites": training_set.labelled_sites,
        "steps": plan.recipe.steps,
        "train_chips": len(training_set.of("train")),
        "validation_chips": len(training_set.of("validation")),
        "test_chips": len(training_set.of("test")),
        "chosen_on": plan.chosen_on,
        "products": {name: dict(about.operating_points) for name, about in card.products.items()},
        "notes": list(card.notes),
    }
