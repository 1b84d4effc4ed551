"""What the columns of reference validation and area estimates mean, beside those that are described for all tables."""

from collections.abc import Mapping
from types import MappingProxyType

_ESTIMATED: Mapping[str, str] = {
    "measure": "What is estimated: accuracy, users_accuracy (precision), producers_accuracy (recall), specificity, "
    "false_positive_rate, f1, kappa, matthews, or mine_share, the share of the ground that is mine by the labels",
    "estimate": "The estimate; null where the points cannot say it",
    "standard_error": "Its standard error (Stehman 2014)",
    "low": "Lower end of the 95 % interval",
    "high": "Upper end of the 95 % interval",
}

REFERENCE_VALIDATION_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        **_ESTIMATED,
        "map": "`mapped`, `ground truth` for the outlines that the model learnt from, or the name of a polygon set or "
        "series",
        "frame": "Where the points lie: `inside windows` of sites, `outside windows` on other land of a region, where "
        "the map says no mine by construction, `outside regions`, or `all`",
        "year": "Year; null for all: the mean of the years' measures, or estimates from all their labels together",
        "years": "Years that the row tells of",
        "points": "Points that the map says something of",
        "missing": "Labelled points that it says nothing of: not mapped, not observed, or in no region",
        "accuracy_low": "Lower end of the 95 % interval of the accuracy of the points (Wilson); null for a mean",
        "accuracy_high": "Upper end of the same interval",
        "matthews": "Matthews correlation coefficient, -1 to 1",
        "f1": "Harmonic mean of user's and producer's accuracy of mine, 0 to 1",
        "kappa": "Cohen's kappa, agreement beyond chance, at most 1",
        "describes": "What the estimate is of: the ground that was sampled, or the points only where it is not known "
        "how they were drawn",
    }
)

AREA_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        **_ESTIMATED,
        "sample": "Name of the sample of points",
        "iso3": "Code of the country; empty for ground of no country, null for all countries",
        "country_name": "Name of the country, or `all countries`",
        "ground": "`all`, or `not trained on`: without the blocks of sites that the model was trained on",
        "quantity": "`area`, `gain`, `loss` or `net change`",
        "class": "The mapped class that is judged: `mine`, `gain` or `loss`",
        "from_year": "First year of a change; null for an area",
        "year": "Year of an area, or last year of a change",
        "points": "Points that were drawn",
        "labelled": "Points that have their labels",
        "judged": "Labelled points that the maps say something of",
        "in_training_blocks": "Labelled points in blocks of sites that the model was trained on",
        "in_training_block": "True for a point in a block of sites that the model was trained on",
        "stratum": "Stratum that the point was drawn from",
        "map_start": "What the map of the first year says of the point now: mine, other, or not observed",
        "map_end": "The same of the last year",
        "label_start": "True where the label says mine in the first year; null without a label",
        "label_end": "The same of the last year",
        "interpreter": "Who labelled the point",
        "confidence": "How sure that person was: high, medium, low or empty",
        "remapped": "Points of which the maps say something else now than when the sample was drawn",
        "strata": "Strata that the points were drawn in",
        "frame_km2": "Area of the frame, the ground that known sites own in the regions, when the sample was drawn; "
        "null for a part of it",
        "estimate_km2": "Estimated area in square kilometres; null where it is insufficient",
        "standard_error_km2": "Standard error of the estimate (Olofsson et al. 2014), in square kilometres",
        "low_km2": "Lower end of the 95 % interval, in square kilometres",
        "high_km2": "Upper end of the 95 % interval, in square kilometres",
        "mapped_km2": "What the maps said on the same ground when the sample was drawn, in square kilometres",
        "mapped_now_km2": "What the country table says of the year now, in square kilometres; null for change, "
        "and for a sample of some regions",
        "outside_frame": "What is known of mines where no site is known: `unmeasured`",
        "verdict": "`estimated`, or `insufficient` where too few points are labelled",
        "reason": "What is too few; empty otherwise",
    }
)
