"""What the columns of this room's tables mean, beside those that are described for all tables."""

from collections.abc import Mapping
from types import MappingProxyType

CONTINUITY_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "other_product": "The product that follows it in the series, and is compared with it",
        "country_iso3": "Code of the country of the window's centre; empty for none",
        "size": "Size of the mine by the area of its outline",
        "ground": "`held out` where no model was trained on the site, else `trained on`; `all` for both together",
        "other_baseline": "Processing baseline of the other product's image, where it has one",
        "threshold": "Probability from which polygons call a pixel of the first product mine",
        "other_threshold": "The same of the other product",
        "observed_km2": "Area that both products observed, in square kilometres; each piece of ground counts once",
        "area_km2": "Area of it that is mine in the first product, in square kilometres",
        "other_km2": "Area of it that is mine in the other product, in square kilometres",
        "both_km2": "Area of it that is mine in both, in square kilometres",
        "area_ratio": "Area in the other product divided by that in the first; null where that is zero",
        "iou": "Intersection over union of the two masks, 0 to 1",
        "stratum": "What the row is of: `all` sites, those of a `region`, `country`, `size` of mine or `baseline`",
        "group": "Which of these; empty for all sites",
        "sites": "Sites that both products observed",
        "places": "Spatial blocks among them",
        "area_ratio_low": "Lower end of the 95 % interval of `area_ratio`, by bootstrap over places; null for fewer "
        "than 3",
        "area_ratio_high": "Upper end of the same interval",
        "iou_low": "Lower end of the 95 % interval of `iou`",
        "iou_high": "Upper end of the same interval",
        "matching_threshold": "Threshold of the other product at which both areas are equal; null but for all sites",
        "sentence": "What a swap does to the series; null but in the row it is told from",
    }
)

BREAK_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "region": "Slug of the region in which it changes; empty for a change of series, which is told by country",
        "country_iso3": "Code of the country, for a change of series; empty for ground of no country",
        "year": "First year after the change",
        "previous_year": "Year before it that was mapped",
        "change": "What changes: `product`, `source`, `season` or `series`",
        "before": "What it was: a product, sources with their sites, days of the season, or the name of a series",
        "after": "What it is from then on",
        "sites": "Sites that both years have an image of; null for a change of series",
        "changed_share": "Share of them that the change concerns, 0 to 1; null for a change of series",
        "measurement": "`measured` where an overlap exists, else `unmeasured`",
        "step": "Area after divided by area before, with no change on the ground; null where unmeasured",
        "step_low": "Lower end of its 95 % interval; null where there is too little for one",
        "step_high": "Upper end of the same interval",
        "measured_on": "The overlap that it is measured on; null where there is none",
        "sentence": "The change in words",
    }
)
