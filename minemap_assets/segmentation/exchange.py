"""Models between projects: a folder that comes in is looked at as prediction would, and kept; a kept one goes out.

Two kinds of folder come in: minemap's own, whose content and version stay what they are, and those of transformers' own
SegFormer, which say nothing of their bands, normalisation and thresholds: a person does (`Facts`).
"""

import json
import math
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.products import product as known_product
from minemap_assets.project.project import Project
from minemap_assets.segmentation.artefact import (
    CARD,
    NEEDED,
    Model,
    ModelCard,
    ProductCard,
    content_version,
    model_files,
    open_model,
    write_card,
)
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.card_text import CARD_TEXT, version_line
from minemap_assets.segmentation.model_origins import record_import
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.promotion import keep, kept_versions

if TYPE_CHECKING:
    from minemap_assets.segmentation.networks.interface import MineNetwork

POINTS = ("match_area", "max_miou")
"""Operating points that a model of one given threshold has, both at that threshold."""

REDUCTIONS = (1, 2, 4, 8)

_VERSION = re.compile(version_line("([0-9a-f]{64})"))
_WANTED = "--bands, --product, --mean and --std (or --normalisation FILE), and --threshold"


@dataclass(frozen=True)
class Facts:
    """What a model of transformers does not say itself: its bands in order, the normalisation of each product (stored
    numbers, reflectance x 10,000), the threshold of its probability, `reduction` chip pixels a side for one of its
    own, and what its weights may be used for.
    """

    bands: tuple[str, ...]
    products: Mapping[str, Normalisation]
    threshold: float
    reduction: int = 1
    licence: str = ""


@dataclass(frozen=True)
class Imported:
    """The version of a model that came in, whether it is new here, and what a person should know of it."""

    version: str
    new: bool
    notes: tuple[str, ...] = ()


def import_model(project: Project, source: Path, by: str, facts: Facts | None = None, note: str = "") -> Imported:
    """Look at a model folder, keep a copy of it below `inputs/models/`, and write down where it came from.

    Nothing is put in use. Raises `BadInputError` where the folder is no model, is damaged, needs facts or must not have
    them, or has other bands or products than the project; nothing is written then.
    """
    if not source.is_dir():
        what = "is a file; give the folder that it lies in" if source.exists() else "does not exist"
        raise BadInputError(f"{source} {what}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        if (source / CARD).is_file():
            _copy_own(source, folder, facts)
        else:
            _convert(source, folder, facts)
        model = open_model(folder)
        _check_hash(source, model.version)
        notes = _checked(project, model, source)
        known = set(kept_versions(project.lake.store))
        keep(project.lake.store, model)
        if model.version not in known:
            record_import(project, model.version, by, str(source.absolute()), note)
        return Imported(model.version, model.version not in known, notes)


def export_model(model: Model, target: Path, text: str) -> None:
    """Write a model's files and its card in Markdown (`text`) into a new folder, whole or not at all.

    Raises `BadInputError` where something lies there already, or the folder cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInputError(f"{target} is there already; give a folder that does not exist yet, or an empty one")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".minemap-") as scratch:
            folder = Path(scratch) / "model"
            for name in model_files(model.folder):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(model.folder / name, folder / name)
            if content_version(folder) != model.version:
                raise BadInputError(f"the model in {model.folder} changed while it was copied; run this again")
            (folder / CARD_TEXT).write_text(text, encoding="utf-8")
            folder.replace(target)
    except OSError as error:
        raise BadInputError(f"{target} cannot be written ({error.strerror}); give another folder") from error


def read_normalisation(path: Path, products: Sequence[str]) -> dict[str, Normalisation]:
    """Mean and spread of each product from a JSON file: `{"mean": [...], "std": [...]}` for all of them, or such an
    object by product. Raises `BadInputError`.
    """
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        each = {name: found if "mean" in found else found[name] for name in products}
        return {
            name: Normalisation(mean=one["mean"], spread=one["std"] if "std" in one else one["spread"])
            for name, one in each.items()
        }
    except (OSError, ValueError, TypeError, KeyError, ValidationError) as error:
        raise BadInputError(
            f"{path} is no normalisation of {', '.join(products)}; write a JSON file such as "
            '{"mean": [400, 600], "std": [200, 250]}, or one such object for each product'
        ) from error


def _copy_own(source: Path, folder: Path, facts: Facts | None) -> None:
    """minemap's own files, without what people keep beside them."""
    if facts is not None:
        raise BadInputError(
            f"{source} is a minemap model, whose {CARD} says its bands, normalisation and thresholds: leave out "
            f"{_WANTED}"
        )
    lacking = [name for name in NEEDED if not (source / name).is_file()]
    if lacking:
        raise BadInputError(f"{source} is not a whole minemap model: it has no {', '.join(lacking)}; copy it again")
    for name in model_files(source):
        if name != CARD_TEXT and not any(part.startswith(".") for part in Path(name).parts):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)


def _convert(source: Path, folder: Path, facts: Facts | None) -> None:
    """A folder of transformers in minemap's own files."""
    from minemap_assets.segmentation.networks.files import load_networks, network_facts, save_networks

    if "network" in network_facts(source):
        raise BadInputError(f"{source} is not a whole minemap model: it has no {CARD}; copy it again")
    if facts is None:
        raise BadInputError(
            f"{source} is no minemap model, so nothing says its bands, normalisation and threshold; if it is a "
            f"SegFormer of transformers, give {_WANTED}"
        )
    save_networks(load_networks(source, len(facts.bands)), folder)
    products = {
        name: ProductCard(
            normalisation=normalisation,
            calibration=Calibration(),
            operating_points=dict.fromkeys(POINTS, facts.threshold),
            chosen_on="given by hand",
            metrics={},
        )
        for name, normalisation in facts.products.items()
    }
    card = ModelCard(
        bands=facts.bands,
        products=products,
        reduction=facts.reduction,
        origin=f"SegFormer of transformers, imported from {source.absolute().name}",
        licence=facts.licence,
        notes=("calibration and thresholds were given by hand and come from no held-out ground",),
    )
    write_card(card, folder)


def _check_hash(source: Path, version: str) -> None:
    """Where the card that was written with the model says which version it is, it has to be that one."""
    card = source / CARD_TEXT
    said = _VERSION.search(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    if said is not None and (source / CARD).is_file() and said[1] != version:
        raise BadInputError(
            f"{source} is damaged: its content is not the model {said[1][:12]} that its {CARD_TEXT} tells of; copy it "
            "again"
        )


def _checked(project: Project, model: Model, source: Path) -> tuple[str, ...]:
    """What a person should know of a model. Raises `BadInputError` where it cannot be used in this project."""
    from minemap_assets.segmentation.networks.files import load_networks

    card = model.card
    _check_card(card, source)
    bands = project.section(ChipsConfig).bands
    if card.bands != bands:
        raise BadInputError(
            f"{source} reads the bands {', '.join(card.bands)}, and this project's chips have {', '.join(bands)}; give "
            "a model of these bands, or set [chips] bands to the model's"
        )
    for name in card.products:
        known_product(name)
    used = _products_of(project)
    if not used & set(card.products):
        raise BadInputError(
            f"{source} knows {', '.join(sorted(card.products))}, and this project is mapped from "
            f"{', '.join(sorted(used))}; give a model of one of these products"
        )
    _check_weights(load_networks(model.folder, len(bands)), source)
    lacking = sorted(used - set(card.products))
    return tuple(f"it does not know {name}: years that are mapped from it fail" for name in lacking)


def _check_card(card: ModelCard, source: Path) -> None:
    if card.reduction not in REDUCTIONS:
        raise BadInputError(f"{source} has the reduction {card.reduction}; it has to be one of 1, 2, 4 and 8")
    if not card.products:
        raise BadInputError(f"{source} knows no product; a model needs the normalisation of one at least")
    for name, product in card.products.items():
        mean, spread = product.normalisation.mean, product.normalisation.spread
        if not len(mean) == len(spread) == len(card.bands):
            raise BadInputError(
                f"{source} has {len(card.bands)} bands, but {len(mean)} means and {len(spread)} spreads of {name}"
            )
        if not all(map(math.isfinite, mean)) or not all(math.isfinite(s) and s > 0 for s in spread):
            raise BadInputError(f"{source}: the means of {name} have to be numbers, and its spreads above zero")
        points = product.operating_points
        if not points or not all(0.0 < value < 1.0 for value in points.values()):
            raise BadInputError(f"{source}: thresholds of {name} have to lie between 0 and 1")


def _check_weights(networks: "Collection[MineNetwork]", source: Path) -> None:
    if not all(bool(value.isfinite().all()) for network in networks for value in network.parameters()):
        raise BadInputError(f"{source} is damaged: some of its weights are no numbers")


def _products_of(project: Project) -> set[str]:
    """Every product that years of this project may be mapped from."""
    own = {period.product for period in project.section(ImageryConfig).products}
    return own | {str(dict(p)["product"]) for region in project.active_regions().values() for p in region.products}
