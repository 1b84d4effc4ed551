"""Weights that others published: the files that are known, and how weights become an input of the lake."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.products import product
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.manifests import file_sha256
from minemap_assets.lake.store import Store
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel

FOLDER = "inputs/detection"
WEIGHTS_PATH = f"{FOLDER}/weights.h5"
FACTS_PATH = f"{FOLDER}/weights.json"

L1C = "sentinel-2-l1c"

BANDS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        3: ("blue", "green", "red"),
        12: (
            "coastal",
            "blue",
            "green",
            "red",
            "rededge1",
            "rededge2",
            "rededge3",
            "nir08",
            "nir",
            "nir09",
            "swir16",
            "swir22",
        ),
        13: (
            "coastal",
            "blue",
            "green",
            "red",
            "rededge1",
            "rededge2",
            "rededge3",
            "nir08",
            "nir",
            "nir09",
            "cirrus",
            "swir16",
            "swir22",
        ),
    }
)
"""What published networks of so many bands read, in this order: B8A before B8 (mining-detector, commit bbbcb2d)."""

ATTRIBUTION = "Earth Genome, Amazon Mining Watch"


class WeightsFacts(StrictModel):
    """What is known of imported weights: where from, their checksum, what they read, and what they may be used for."""

    origin: str
    sha256: str
    licence: str
    attribution: str = ""
    product: str = L1C
    bands: tuple[str, ...]


KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "48px_v3.2-3.7ensemble_2024-02-13": "MIT (code); trained on data under CC BY 4.0",
        "48px_v4.21-CNN100ka_2026-05-08ep179": "MIT (code); trained on data under CC BY 4.0",
        "44px_v2.6_rgb_2021-11-11": "MIT (code); trained on data under CC BY 4.0",
    }
)
"""Licences of published files by their names."""


def import_weights(
    store: Store, file: Path, origin: str, *, licence: str = "", sha256: str = "", bands: tuple[str, ...] = ()
) -> WeightsFacts:
    """Make a Keras file an input of the lake; `origin` is where it came from.

    Raises `BadInputError` for another checksum than `sha256`, weights that cannot be used, a number of bands whose
    order is not known, and weights whose licence nobody states.
    """
    from minemap_assets.detection.networks.keras_files import read_keras

    checksum = file_sha256(file)
    if sha256 and checksum != sha256.lower():
        raise BadInputError(f"{origin} has the checksum {checksum}, and not {sha256}: it is another file")
    shape = read_keras(file)[0].shape
    facts = WeightsFacts(
        origin=origin,
        sha256=checksum,
        licence=licence or _known_licence(origin),
        attribution=ATTRIBUTION if not licence else "",
        bands=bands or _known_bands(shape.bands, origin),
    )
    product(facts.product).check_bands(facts.bands)
    if len(facts.bands) != shape.bands:
        raise BadInputError(f"the weights in {origin} read {shape.bands} bands, and {len(facts.bands)} are named")
    inputs = Inputs(store)
    inputs.change(WEIGHTS_PATH, lambda _: file.read_bytes())
    inputs.change(FACTS_PATH, lambda _: (facts.model_dump_json(indent=1) + "\n").encode())
    return facts


def imported_facts(project: Project) -> WeightsFacts | None:
    """What is known of the imported weights; None without any."""
    return project.parsed(FACTS_PATH, lambda data: None if data is None else _parsed(data))


def _parsed(data: bytes) -> WeightsFacts:
    try:
        return WeightsFacts.model_validate_json(data)
    except ValidationError as error:
        raise BadInputError(f"{FACTS_PATH} cannot be read; import the weights again") from error


def _known_licence(origin: str) -> str:
    for name, licence in KNOWN.items():
        if name in origin:
            return licence
    raise BadInputError(f"the licence of {origin} is not known; say what its weights may be used for with --licence")


def _known_bands(count: int, origin: str) -> tuple[str, ...]:
    if count not in BANDS:
        raise BadInputError(f"the weights in {origin} read {count} bands; name them in their order with --bands")
    return BANDS[count]
