"""What the checks of scans let pass."""

import numpy as np
import pandas as pd
import pytest

from minemap_assets.detection.checks import scores_whole

NONE: list[float] = []


@pytest.mark.parametrize(
    ("score", "members", "passes"),
    [
        (0.5, [0.4, 0.6], True),
        (np.nan, NONE, True),
        (np.nan, [0.4, 0.6], False),
        (0.5, NONE, False),
        (0.5, [0.5], False),
        (0.7, [0.4, 0.6], False),
        (0.5, [-0.2, 1.2], False),
    ],
)
def test_a_patch_has_the_scores_of_all_members_or_of_none(score: float, members: list[float], passes: bool) -> None:
    table = pd.DataFrame({"score": [0.1, score], "member_scores": [np.array([0.0, 0.2]), np.array(members)]})
    found = scores_whole(table, 2)
    assert found.passed is passes
    assert found.facts["wrong"] == (0 if passes else 1)


def test_a_scan_that_saw_nothing_is_whole() -> None:
    table = pd.DataFrame({"score": [np.nan], "member_scores": [np.array(NONE)]})
    assert scores_whole(table, 3).passed
