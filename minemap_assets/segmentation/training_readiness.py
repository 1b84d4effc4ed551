"""Whether the known mines suffice for a model that can be judged, before anything is made."""

from collections.abc import Iterator

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.errors import BadInputError
from minemap_assets.planning.expected_sites import labelled_groups
from minemap_assets.planning.findings import Finding, doubt, ok, wrong
from minemap_assets.planning.readiness import Prospect
from minemap_assets.segmentation.promotion import promotions
from minemap_assets.segmentation.verdict import FEWEST_GROUPS

FEW_PLACES = 10
"""With fewer places a model has seen too little of what mines look like to be relied upon elsewhere."""

_SHOWN = 12
_MORE = "register more outlines with the role `labels`: `minemap reference add NAME FILE --licence LICENCE`"


def training_findings(prospect: Prospect) -> Iterator[Finding]:
    """Places with labelled mines: none, too few to judge a model by, few, or enough."""
    try:
        regions = [region.slug for region in prospect.trained]
    except BadInputError:  # is a finding of its own
        return
    held = labelled_groups([prospect.sites[slug] for slug in regions], prospect.project.section(ChipsConfig))
    places = held.total()
    made = promotions(prospect.project)
    if made:
        yield ok(f"model {made[-1].version[:_SHOWN]} is in use")
    if not places and not made:
        yield wrong(
            "no known mine with labels lies in a region that trains, so no model can be trained"
            + (" (promoted outlines are mapped, and teach nothing)" if _promoted(prospect) else ""),
            _MORE,
        )
    elif not made:
        yield _judged(places, held["test"])


def _judged(places: int, test: int) -> Finding:
    counted = "1 place" if places == 1 else f"{places} places"
    if test < FEWEST_GROUPS:
        return doubt(
            f"labelled mines lie in {counted}, of which about {test} will be held out, and {FEWEST_GROUPS} are needed: "
            "the model cannot be judged, and its maps may be worth nothing",
            _MORE,
        )
    if places < FEW_PLACES:
        return doubt(f"labelled mines lie in {counted} only: expect a weak model", _MORE)
    return ok(f"labelled mines lie in {counted}, of which about {test} will be held out to judge the model by")


def _promoted(prospect: Prospect) -> bool:
    return any((table["origin"] == "promoted").any() for table in prospect.sites.values())
