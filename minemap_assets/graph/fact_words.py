"""The facts of partitions in words: what each is called, in which unit, and which comes first.

Builders name their facts for programs; people read them in this order, quality before areas, in the units given here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Words:
    """A label with its unit, and how a number is brought to it: times `factor`, rounded to so many `digits`."""

    label: str
    factor: float = 1.0
    digits: int = 4


_PERCENT = (100.0, 1)

_WORDS = {
    # what it is worth
    "verdict": Words("verdict on the model"),
    "status": Words("status"),
    "notes": Words("notes"),
    "scores": Words("scores"),
    "mean over years": Words("mean over the years"),
    "products": Words("products"),
    "validation_miou": Words("mean IoU in validation", digits=3),
    "clear_fraction_mean": Words("clear ground, mean (%)", *_PERCENT),
    "clear_fraction_min": Words("clear ground, worst site (%)", *_PERCENT),
    "clarity": Words("clarity by product"),
    "observations_per_pixel": Words("clear observations a pixel", digits=1),
    "covered_share": Words("ground observed (%)", *_PERCENT),
    "regions_missing": Words("regions missing"),
    "below_minimum": Words("sites with too little clear ground"),
    "largest_gap_ha": Words("largest gap (ha)", digits=1),
    "largest_gap_days": Words("longest gap (days)"),
    # how much of it there is
    "sites_observed": Words("sites observed"),
    "sites_expected": Words("sites expected"),
    "sites_not_observed": Words("sites not observed"),
    "observed": Words("sites with enough clear ground"),
    "sites": Words("sites"),
    "regions_expected": Words("regions expected"),
    "points": Words("points"),
    "area_km2": Words("area (km²)", digits=3),
    "largest": Words("largest countries"),
    "labels_km2": Words("labelled area (km²)", digits=3),
    "outlines_km2": Words("outlined area (km²)", digits=3),
    "outline_km2": Words("outlined area (km²)", digits=3),
    "rows": Words("rows"),
    "tables": Words("tables"),
    # what it was made from
    "product": Words("product"),
    "sources": Words("sites by source"),
    "passed_over": Words("sources passed over"),
    "cloud_masks": Words("sites by cloud mask"),
    "bands": Words("bands"),
    "bytes_read": Words("read from sources"),
    "version": Words("model version"),
    "model_version": Words("model version"),
    "threshold": Words("threshold", digits=3),
    "promoted_by": Words("put in use by"),
    "promoted_at": Words("put in use at"),
    "note": Words("note"),
}

_SIZES = frozenset({"bytes", "bytes_read"})
_HASHES = frozenset({"version", "model_version"})
_SHOWN_OF_HASH = 12


def in_order(names: Iterable[str]) -> list[str]:
    """Names of facts, the most important ones first; those that have no place of their own come last."""
    places = {name: place for place, name in enumerate(_WORDS)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def label(name: str) -> str:
    """What people call a fact, with its unit."""
    return _WORDS[name].label if name in _WORDS else name.replace("_", " ")


def in_units(name: str, value: Any) -> Any:
    """A fact in the unit of its label: numbers rounded, sizes and hashes so that they can be read."""
    if name in _SIZES and isinstance(value, int):
        return file_size(value)
    if name in _HASHES and isinstance(value, str):
        return value[:_SHOWN_OF_HASH]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    words = _WORDS.get(name, Words(""))
    if isinstance(value, int) and words.factor == 1.0:
        return value
    return round(value * words.factor, words.digits)


def file_size(size: int) -> str:
    """`12.4 MB` of a number of bytes."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
