"""The two-state chain against every sequence of states, written out."""

from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.temporal.chain import decide, estimate
from minemap_assets.polygons.temporal.hmm import Chances, evidence, forward, odds_at, to_probability, transitions

CHANCES = Chances.of(PolygonsConfig())


def states(ratios: list[float], chances: Chances, start: float) -> dict[tuple[int, ...], float]:
    """Posterior of every sequence of states (1 is mine)."""
    step = {
        (0, 1): chances.appear,
        (0, 0): 1 - chances.appear,
        (1, 0): chances.disappear,
        (1, 1): 1 - chances.disappear,
    }
    found = {}
    for path in product((0, 1), repeat=len(ratios)):
        weight = start / (1 + start) if path[0] else 1 / (1 + start)
        for before, after in pairwise(path):
            weight *= step[before, after]
        found[path] = weight * float(np.prod([r for r, state in zip(ratios, path, strict=True) if state]))
    total = sum(found.values())
    return {path: weight / total for path, weight in found.items()}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.none() | st.floats(0.01, 100.0), min_size=1, max_size=6),
    st.floats(0.005, 0.4),
    st.floats(0.005, 0.4),
)
def test_posteriors_and_transitions_are_those_of_all_sequences(seen, appear, disappear) -> None:
    chances = Chances(appear, disappear)
    start = chances.start()
    paths = states([1.0 if r is None else r for r in seen], chances, start)
    ratios = [None if r is None else np.array([r], dtype=np.float32) for r in seen]
    if all(r is None for r in ratios):
        return
    before = forward(ratios, chances, start, 1)
    for at in range(len(seen)):
        posterior = to_probability(odds_at(ratios, at, chances, start))
        assert posterior[0] == pytest.approx(sum(p for path, p in paths.items() if path[at]), abs=1e-4)
        if at:
            change = transitions(before[at - 1], posterior, chances)
            begun = sum(p for path, p in paths.items() if path[at - 1 : at + 1] == (0, 1))
            ended = sum(p for path, p in paths.items() if path[at - 1 : at + 1] == (1, 0))
            assert (change.begun[0], change.ended[0]) == (
                pytest.approx(begun, abs=1e-4),
                pytest.approx(ended, abs=1e-4),
            )


@settings(max_examples=25, deadline=None)
@given(st.floats(0.004, 1.0), st.floats(0.01, 0.4), st.floats(0.01, 0.4), st.floats(0.1, 1.0), st.floats(0.02, 1.0))
def test_a_year_alone_is_decided_as_its_mask(threshold, appear, disappear, trust, clarity) -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = decide({2019: stored}, {2019: threshold}, {2019: clarity}, 2019, Chances(appear, disappear, trust))
    assert np.array_equal(found.mine, (stored / 254.0 >= threshold) & (stored != 255))
    assert not (found.added | found.removed | found.filled).any()


def test_clarity_and_trust_weaken_what_a_year_says() -> None:
    clear, hazy = evidence(0.5, CHANCES), evidence(0.5, CHANCES, 0.4)
    assert np.allclose(hazy, clear**0.4, rtol=1e-5)
    full, half = (np.log(evidence(0.5, Chances(0.1, 0.1, trust))) for trust in (1.0, 0.5))
    assert np.allclose(half, full / 2, atol=1e-4)
    assert clear[255] == 1.0


def series(*years: int | None) -> tuple[dict, dict, dict]:
    """One pixel: stored values from 2017 on; None has no image, 255 was not observed."""
    stored = {2017 + n: np.array([[v]], dtype=np.uint8) for n, v in enumerate(years) if v is not None}
    return stored, dict.fromkeys(stored, 0.5), dict.fromkeys(stored, 1.0)


@pytest.mark.parametrize(
    ("years", "mine", "change"),
    [
        ((220, 230, 110, 230, 220), True, "added"),
        ((10, 20, 254, 20, 10), False, "removed"),
        ((250, 240, 0, 240, 250), True, "added"),
        ((220, 230, 255, 230, 220), True, "filled"),
        ((220, None, None, None, 220), True, "filled"),
        ((10, 255, 255, 20, 240), False, None),
        ((None, None, 255, 230, 230), False, None),
        ((230, 230, 255, None, None), False, None),
        ((10, 20, 230, 235, 240), True, None),
        ((110, 115, 118, 115, 110), False, None),
    ],
)
def test_neighbouring_years_decide_and_gaps_neither_remove_nor_invent(years, mine, change) -> None:
    found = decide(*series(*years), 2019, CHANCES)
    assert found.mine.item() is mine
    counts = {name: bool(getattr(found, name).item()) for name in ("added", "removed", "filled")}
    assert counts == {name: name == change for name in counts}
    if mine:
        assert found.posterior.item() >= 0.5


@dataclass(frozen=True)
class Years:
    stored: dict
    thresholds: dict
    clarity: dict


def test_the_pace_of_change_is_estimated_and_its_ratio_stays() -> None:
    rng = np.random.default_rng(3)
    true = Chances(0.06, 0.15)
    state = rng.random((200, 200)) < 0.3
    stored = {}
    for year in range(2010, 2020):
        state = np.where(state, rng.random(state.shape) >= true.disappear, rng.random(state.shape) < true.appear)
        score = rng.normal(size=state.shape) + 3.5 * (state - 0.5)
        odds = np.exp(3.5 * score) * true.start()
        stored[year] = np.rint(odds / (1 + odds) * 254).astype(np.uint8)
    site = Years(stored, dict.fromkeys(stored, 0.5), dict.fromkeys(stored, 1.0))
    slow = Chances(0.01, 0.025)
    found = estimate([site], slow)
    assert found.disappear == pytest.approx(0.15, rel=0.25)
    assert found.appear / found.disappear == pytest.approx(0.4)
    assert estimate([site], slow) == found
    few = Years({y: s[:3, :3] for y, s in stored.items()}, site.thresholds, site.clarity)
    assert estimate([few], slow) == slow


def test_later_years_add_nothing_to_the_beginning_of_a_record() -> None:
    shown = {2015: 252, 2016: 100, 2017: 252, 2018: 252}
    stored = {year: np.full((1, 1), value, dtype=np.uint8) for year, value in shown.items()}
    thresholds, clarity = dict.fromkeys(shown, 0.5), dict.fromkeys(shown, 1.0)
    begun = {year: pixels for year, pixels in stored.items() if year >= 2016}
    assert decide(stored, thresholds, clarity, 2016, Chances(0.04, 0.08)).added.all()
    assert not decide(begun, thresholds, clarity, 2016, Chances(0.04, 0.08)).mine.any()
    unseen = begun | {2015: np.full((1, 1), 255, dtype=np.uint8)}
    assert not decide(unseen, thresholds, clarity, 2016, Chances(0.04, 0.08)).mine.any()
