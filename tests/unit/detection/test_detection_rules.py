"""Which rules hold, and which patches pass them."""

import numpy as np
import pandas as pd
import pytest

from minemap_assets.detection.artefact import ClassifierCard, Thresholds
from minemap_assets.detection.config import DetectionConfig
from minemap_assets.detection.detections import passing, preset_for
from minemap_assets.detection.presets import AMW_2026, FALLBACK, SEED_2024, Rule

CARD = ClassifierCard(
    product="sentinel-2-l1c", bands=("red",), members=("one",), verdict="usable", origin="a test", licence="none"
)
CHOSEN = CARD.model_copy(update={"thresholds": Thresholds(kept=0.2, dissolved=0.3, isolated=0.9)})


def patches(*scores: float) -> pd.DataFrame:
    """Patches a degree apart from each other."""
    return pd.DataFrame({"score": scores, "longitude": np.arange(len(scores)) * 1.0, "latitude": 0.0})


def test_the_published_rule_of_2024_is_more_than_its_threshold() -> None:
    assert passing(patches(0.6, np.nextafter(0.6, 1.0), np.nan), SEED_2024.yearly).tolist() == [False, True, False]


def test_the_rule_of_2026_asks_more_of_patches_that_are_alone() -> None:
    assert passing(patches(0.43, 0.74, 0.75, np.nan), AMW_2026.yearly).tolist() == [False, False, True, False]


def test_without_an_isolated_threshold_it_does_not_matter_where_a_patch_lies() -> None:
    assert passing(patches(0.43, 0.42), Rule(0.43)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("settings", "card", "yearly"),
    [
        ({}, CARD, FALLBACK.yearly),
        ({}, CHOSEN, Rule(0.3, 0.9)),
        ({"preset": "amw-2026"}, CHOSEN, AMW_2026.yearly),
        ({"threshold": 0.8}, CARD, Rule(0.8, 0.8)),
        ({"threshold": 0.1, "isolated": 0.2}, CHOSEN, Rule(0.1, 0.2)),
        ({"preset": "seed-2024", "threshold": 0.7}, CARD, Rule(0.7, None)),
    ],
)
def test_settings_come_before_what_was_chosen_and_that_before_the_preset(
    settings: dict[str, object], card: ClassifierCard, yearly: Rule
) -> None:
    assert preset_for(DetectionConfig.model_validate(settings), card).yearly == yearly


def test_a_lower_threshold_lists_patches_from_there() -> None:
    assert preset_for(DetectionConfig(threshold=0.1), CARD).kept == 0.1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"threshold": 0.8, "isolated": 0.5}, "isolated .* is lower than threshold"),
        ({"product": "landsat"}, "unknown product 'landsat'"),
        ({"bands": ["pan"]}, "has no band pan"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DetectionConfig.model_validate(settings)
