"""What stands before the figures of maps: the verdict on the very model that made them."""

from typing import Any, cast

import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.lake.manifests import Manifest
from minemap_assets.segmentation import promotion, verdict
from minemap_assets.segmentation.assets import told_verdict
from minemap_assets.segmentation.verdict import Grade, Verdict

JUDGED = "a" * 64
OTHER = "b" * 64


def manifest(**summary: str) -> Manifest:
    return cast("Manifest", type("Made", (), {"summary": summary})())


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    found = Verdict(Grade.WEAK, "on 5 places, IoU 0.41", JUDGED)
    monkeypatch.setattr(verdict, "verdict_of", lambda _: found)
    monkeypatch.setattr(promotion, "promoted_version", lambda _: JUDGED)
    monkeypatch.setattr(promotion, "recorded_verdict", lambda *_: None)
    return monkeypatch


def told(made: Manifest) -> dict[str, str]:
    return told_verdict(cast("Any", None), made)


@pytest.mark.parametrize("made", [manifest(model_version=JUDGED), manifest(version=JUDGED), manifest()])
def test_it_is_told_where_it_is_of_this_model(judged: pytest.MonkeyPatch, made: Manifest) -> None:
    assert told(made) == {"verdict": "weak: on 5 places, IoU 0.41"}
    judged.setattr(verdict, "verdict_of", lambda _: None)
    assert told(made) == {}


@pytest.mark.parametrize("made", [manifest(model_version=OTHER), manifest(version=OTHER)])
def test_scores_of_another_model_say_nothing(judged: pytest.MonkeyPatch, made: Manifest) -> None:
    said = "cannot be judged: the scores are of model aaaaaaaaaaaa, and this one is bbbbbbbbbbbb"
    assert told(made) == {"verdict": said}
    judged.setattr(promotion, "promoted_version", lambda _: OTHER)
    assert told(manifest()) == {"verdict": said}


def test_of_another_model_the_verdict_it_was_put_in_use_with_is_told(judged: pytest.MonkeyPatch) -> None:
    recorded = Verdict(Grade.USABLE, "on 9 places, IoU 0.61", OTHER)
    judged.setattr(promotion, "recorded_verdict", lambda _, version: recorded if version == OTHER else None)
    assert told(manifest(model_version=OTHER)) == {"verdict": "usable: on 9 places, IoU 0.61"}


def test_damaged_scores_hide_no_map(judged: pytest.MonkeyPatch) -> None:
    def damaged(_: object) -> Verdict:
        raise BadInputError("the scores are damaged")

    judged.setattr(verdict, "verdict_of", damaged)
    assert told(manifest(model_version=JUDGED)) == {"verdict": "cannot be judged: the scores are damaged"}
