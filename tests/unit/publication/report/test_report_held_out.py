"""The first section on ground that tells little: curves of trained ground are called that, and a lack of scores has its
reason.
"""

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from minemap_assets.publication.report.document import Figure, Prose
from minemap_assets.publication.report.held_out_section import held_out_section
from minemap_assets.publication.report.material import Material
from minemap_assets.publication.standing import Release, Standing

CONFUSION = SimpleNamespace(iou=0.5, precision=0.6, recall=0.7)


def blocks(chosen_on: str, metrics: pd.DataFrame | None) -> tuple[str, list[Figure]]:
    """Words and figures of the section of a model whose thresholds were chosen on such ground."""
    counts = SimpleNamespace(histogram=SimpleNamespace(confusion=lambda _: CONFUSION))
    product: Any = SimpleNamespace(held_out=counts, operating_points={"match_area": 0.5}, chosen_on=chosen_on)
    material = SimpleNamespace(
        standing=Standing("v", "cannot be judged", "no place was held out", "", "", Release.FREE),
        accuracy=SimpleNamespace(metrics=metrics),
        card=SimpleNamespace(products={"sentinel-2-l2a": product}),
    )
    made = held_out_section(cast(Material, material)).blocks
    words = " ".join(block.words for block in made if isinstance(block, Prose))
    return words, [block for block in made if isinstance(block, Figure)]


@pytest.mark.parametrize(
    ("chosen_on", "ground"), [("train", "the ground that the model was trained on"), ("validation", "held-out ground")]
)
def test_curves_say_what_ground_they_are_of(chosen_on: str, ground: str) -> None:
    words, (figure,) = blocks(chosen_on, None)
    assert ("are no measure of its accuracy" in words) is (chosen_on == "train")
    assert f"were chosen on: {ground}" in figure.caption
    assert ("held-out" in figure.caption) is (chosen_on == "validation")


def test_a_model_that_was_not_scored_and_one_that_could_not_be_have_their_own_reasons() -> None:
    never, _ = blocks("train", None)
    nowhere, _ = blocks("train", pd.DataFrame())
    assert "no model was trained and evaluated here" in never
    assert "no labelled mine is apart from the ground that it was trained on" in nowhere
