"""Where everything that is published comes from: imagery, outlines, boundaries, series, weights, and their terms."""

from dataclasses import dataclass
from enum import StrEnum

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import InputContext
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.build import INDEX
from minemap_assets.publication.published import one_of
from minemap_assets.reference.registered import catalogue
from minemap_assets.segmentation.artefact import TRAINED_HERE, load_model
from minemap_assets.segmentation.assets import PROMOTED_MODEL


class Role(StrEnum):
    """What an input is to the maps."""

    IMAGERY = "imagery"
    LABELS = "ground truth"
    OUTLINES = "outlines that locate sites"
    BOUNDARIES = "country boundaries"
    POINTS = "validation points"
    SERIES = "polygons made elsewhere"
    WEIGHTS = "weights of the model"


@dataclass(frozen=True)
class Attribution:
    """One input: its name, what it is, its licence or terms of use in its publisher's words, whom to cite, and where it
    is to be had. `redistributable` says whether its pixels may be passed on; it is None where it has none. What is the
    project's `own` was made in it from the other inputs.
    """

    name: str
    role: Role
    licence: str
    citation: str = ""
    source: str = ""
    redistributable: bool | None = None
    own: bool = False


_ROLES = {"boundaries": Role.BOUNDARIES, "points": Role.POINTS, "series": Role.SERIES}


def attributions(context: InputContext) -> tuple[Attribution, ...]:
    """Every input of what is published, imagery first, then what was registered, then the weights."""
    return (*_imagery(context), *_registered(context), *_weights(context))


def restricted(inputs: tuple[Attribution, ...]) -> tuple[Attribution, ...]:
    """Those whose pixels may not be passed on."""
    return tuple(one for one in inputs if one.redistributable is False)


def _imagery(context: InputContext) -> tuple[Attribution, ...]:
    found: set[tuple[str, str, str, bool]] = set()
    for part in context.inputs_of(COMPOSITES).values():
        index = read_geoparquet(part.file(INDEX))
        columns = (index[name] for name in ("source", "product", "terms", "redistributable"))
        found |= {(str(s), str(p), str(t), bool(r)) for s, p, t, r in zip(*columns, strict=True)}
    return tuple(
        Attribution(f"{product} from {source}", Role.IMAGERY, terms or "terms unknown", redistributable=free)
        for source, product, terms, free in sorted(found)
    )


def _registered(context: InputContext) -> tuple[Attribution, ...]:
    return tuple(
        Attribution(
            entry.name,
            _ROLES.get(entry.kind) or (Role.LABELS if entry.role == "labels" else Role.OUTLINES),
            entry.licence,
            entry.citation,
            entry.source,
        )
        for entry in catalogue(context.project).entries
    )


def _weights(context: InputContext) -> tuple[Attribution, ...]:
    found = one_of(context, PROMOTED_MODEL)
    if found is None:
        return ()
    card = load_model(found).card
    licence = card.licence or "nothing is recorded of what they may be used for"
    own = not card.licence and card.origin == TRAINED_HERE
    licence = "that of the dataset: it was trained on the other inputs" if own else licence
    return (Attribution("segmentation model", Role.WEIGHTS, licence, source=card.origin, own=own),)
