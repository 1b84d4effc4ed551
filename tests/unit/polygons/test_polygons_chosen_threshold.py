"""Which threshold outlines a mask, and what is said where none does."""

import numpy as np
import pytest

from mask_world import World
from minemap_assets.errors import BadInputError
from minemap_assets.polygons.chosen_threshold import chosen_thresholds
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.raw import vectorise_year
from minemap_assets.segmentation.artefact import HeldOutCounts, ModelCard, ProductCard
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.metrics import Histogram
from minemap_assets.segmentation.normalisation import Normalisation


def product(mine: list[int] | None, **points: float) -> ProductCard:
    """What a model knows of a product whose held-out mine pixels have these stored values."""
    counts = None
    if mine is not None:
        stored = np.array([*mine, *([10] * 100)], dtype=np.uint8)
        labels = np.array([1] * len(mine) + [0] * 100, dtype=np.uint8)
        counts = HeldOutCounts.of(Histogram.of(stored, labels))
    return ProductCard(
        normalisation=Normalisation(mean=(1.0,), spread=(1.0,)),
        calibration=Calibration(),
        operating_points=points,
        chosen_on="folds",
        metrics={},
        held_out=counts,
    )


CARD = ModelCard(
    bands=("red",),
    products={
        "planet-nicfi": product([200, 150, 100, 50], match_area=0.4, max_miou=0.6),
        "sentinel-2-l2a": product([120, 90, 60, 30], match_area=0.3, max_miou=0.5),
        "bare": product(None, match_area=0.3),
    },
)


def threshold(of: str = "planet-nicfi", card: ModelCard | None = CARD, made: str = "m", **polygons: object) -> float:
    """The threshold of a mask that was made at 0.45 for `match_area` by model m."""
    rule = chosen_thresholds(card, PolygonsConfig.model_validate(polygons), "m")
    return rule.of(of, "match_area", 0.45, made)


def test_the_first_that_is_given_decides() -> None:
    own = {"product_thresholds": {"planet-nicfi": 0.2}}
    assert threshold(**own, operating_point="f2") == 0.2
    assert threshold(**own, operating_point="mine", threshold=0.7) == 0.2
    assert threshold("sentinel-2-l2a", **own, operating_point="mine", threshold=0.7) == 0.7
    assert threshold() == 0.45
    assert threshold(operating_point="max_miou") == 0.6
    assert threshold("sentinel-2-l2a", operating_point="max_miou") == 0.5


def test_recall_and_f_scores_are_computed_for_each_product() -> None:
    assert threshold(operating_point="recall>=0.75") == 100 / 254
    assert threshold("sentinel-2-l2a", operating_point="recall>=0.75") == 60 / 254
    assert 10 / 254 < threshold(operating_point="f2") <= 50 / 254
    rule = chosen_thresholds(CARD, PolygonsConfig(operating_point="recall>=0.5"))
    assert {rule.of(name, "own", 0.9) for name in ("planet-nicfi", "sentinel-2-l2a") for _ in range(2)} == {
        150 / 254,
        90 / 254,
    }


def test_stored_probabilities_answer_for_any_operating_point(world: World) -> None:
    """The same masks, outlined at what recall and F scores mean on the model's held-out ground."""
    mask = world.blank()
    mask[2:12, 2:12] = 200
    mask[20:24, 20:24] = 90
    masks = world.masks(2019, {"a": mask, "b": world.blank()}, threshold=0.9)

    def outlined(**polygons: object) -> int:
        rule = chosen_thresholds(CARD, PolygonsConfig.model_validate(polygons))
        return len(vectorise_year(world.region, 2019, world.cells, masks, rule).polygons)

    assert outlined() == 0
    assert outlined(operating_point="recall>=0.75") == 1
    assert outlined(operating_point="recall>=1") == 2
    assert outlined(operating_point="f2") == 2
    assert outlined(operating_point="max_miou") == 1
    assert outlined(product_thresholds={"planet-nicfi": 90 / 254}) == 2


def test_what_cannot_be_answered_is_said() -> None:
    today = "masks were made for the operating point 'match_area', polygons ask for 'max_miou'; set the same in"
    with pytest.raises(BadInputError, match=today):
        threshold(card=None, operating_point="max_miou")
    with pytest.raises(BadInputError, match=today):
        threshold("unknown", operating_point="max_miou")
    with pytest.raises(BadInputError, match="masks were made for the operating point 'max_miou', polygons ask for"):
        chosen_thresholds(CARD, PolygonsConfig()).of("planet-nicfi", "max_miou", 0.6)
    with pytest.raises(BadInputError, match="give one of its own \\(match_area, max_miou\\), one such as"):
        threshold(operating_point="best")
    with pytest.raises(
        BadInputError, match="held-out pixels of bare, which the model in use does not have; train again"
    ):
        threshold("bare", operating_point="f2")
    with pytest.raises(BadInputError, match="'recall>=2' for planet-nicfi: a recall of 2 is asked for"):
        threshold(operating_point="recall>=2")
    with pytest.raises(
        BadInputError, match="one of model m, which is in use, and masks of planet-nicfi were made with x"
    ):
        threshold(operating_point="f2", made="x")
    assert threshold(made="x") == 0.45
    with pytest.raises(BadInputError, match=r"names the product 'planet-nicfy'.*; the products are"):
        threshold(product_thresholds={"planet-nicfy": 0.2})
