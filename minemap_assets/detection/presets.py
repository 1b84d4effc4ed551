"""Presets: which scores count, and what of a year's growth is kept. Each names where its figures come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

PresetName = Literal["default", "seed-2024", "amw-2026"]


@dataclass(frozen=True)
class Rule:
    """The score from which a patch counts; `isolated` is that of one without five others within 3 km (None: no matter
    where it lies). A patch has to score more than `threshold` where that is `open`, as much elsewhere.
    """

    threshold: float
    isolated: float | None = None
    open: bool = False


@dataclass(frozen=True)
class Preset:
    """`kept` is the score above which patches are listed, `yearly` the rule for the outlines of one year, `cumulative`
    that for all years together. Of what a year adds, pieces of at least `least_added_ha` hectares are kept, measured in
    Web Mercator where `mercator`: too large by 1 / cos2(latitude).
    """

    kept: float
    yearly: Rule
    cumulative: Rule
    least_added_ha: float = 11.0
    mercator: bool = False


SEED_2024 = Preset(0.5, Rule(0.6, open=True), Rule(0.6, open=True), mercator=True)
"""mining-detector, commit bbbcb2d: patches above 0.5 are saved, those above 0.6 dissolved."""

AMW_2026 = Preset(0.43, Rule(0.43, 0.75), Rule(0.55, 0.8))
"""Amazon Mining Watch, 2026: dual thresholds, stricter where the errors of all years add up."""

FALLBACK = Preset(0.5, Rule(0.6, 0.75), Rule(0.6, 0.8))
"""`default` of a classifier whose thresholds were never chosen on labelled ground: the published ones, with the
stricter rule for patches that are alone.
"""

PRESETS: Mapping[PresetName, Preset] = MappingProxyType(
    {"default": FALLBACK, "seed-2024": SEED_2024, "amw-2026": AMW_2026}
)
