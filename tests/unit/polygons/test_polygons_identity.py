"""Mines keep their ids, whatever later years bring."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from minemap_assets.polygons.identity import Part, follow_parts

SIDE = 12


def parts_of(least: int, *pictures: str, edge: int | None = None) -> list[Part]:
    """Parts of steps drawn as rows of `#` (mined) and `.`, one pixel of which may be at the edge."""
    images = [np.array([[c == "#" for c in row] for row in picture.split()]) for picture in pictures]
    index = np.arange(images[0].size)
    return follow_parts([image.ravel() for image in images], index, images[0].shape[1], least, index == edge)


def test_growth_keeps_the_id_and_a_merger_that_of_the_elder() -> None:
    parts = parts_of(2, "##......", "###...##", "###..###", "########")
    (one,) = parts
    assert (one.seed, one.born, len(one.pixels)) == (0, 0, 8)
    assert [(part.seed, part.born) for part in one.taken] == [(6, 1)]


def test_the_larger_half_keeps_the_id_and_the_other_is_new() -> None:
    parts = parts_of(2, "########", "#####.##")
    assert [(part.seed, part.born, len(part.pixels)) for part in parts] == [(3, 0, 5), (6, 1, 2)]


def test_what_was_never_large_enough_to_be_told_takes_no_id_from_what_was() -> None:
    (one,) = parts_of(3, "#.......", "#...####", "########")
    assert (one.born, one.taken) == (1, [])


def test_ground_that_is_found_again_is_another_mine_with_another_id() -> None:
    parts = parts_of(1, "##..", "....", "##..")
    assert [(part.seed, part.ordinal) for part in parts] == [(0, 2)]


def test_small_ground_counts_only_where_it_may_go_on_beyond_the_edge() -> None:
    assert parts_of(3, "##....##") == []
    (one,) = parts_of(3, "##....##", "##....##", edge=7)
    assert (one.seed, one.born, one.pixels.tolist()) == (6, 2, [6, 7])


def test_corners_do_not_connect() -> None:
    assert len(parts_of(1, "#. .#")) == 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_a_further_year_never_renames_a_mine(seed, steps) -> None:
    rng = np.random.default_rng(seed)
    index = np.arange(SIDE * SIDE)
    ever = [rng.random(SIDE * SIDE) < 0.3]
    for _ in range(steps):
        gone = rng.random(SIDE * SIDE) < 0.05
        ever.append((ever[-1] & ~gone) | (rng.random(SIDE * SIDE) < 0.12))
    edge = np.zeros(SIDE * SIDE, dtype=bool)
    before = {(p.seed, p.ordinal): p for p in follow_parts(ever[:-1], index, SIDE, 3, edge)}
    after = {(p.seed, p.ordinal): p for p in follow_parts(ever, index, SIDE, 3, edge)}
    taken = {(t.seed, t.ordinal): p for p in after.values() for t in p.taken}
    for name, part in before.items():
        if name in after:
            assert after[name].rank == part.rank
            assert np.isin(after[name].pixels, part.pixels).any()
        elif ever[-1][part.pixels].any():
            assert taken[name].rank < part.rank
    assert all(part.born == steps for name, part in after.items() if name not in before)
    labels, _ = label(ever[-1].reshape(SIDE, SIDE))
    large = np.flatnonzero(np.bincount(labels.ravel())[labels.ravel()] * ever[-1] >= 3)
    found = np.concatenate([p.pixels for p in after.values()])
    assert len(np.unique(found)) == len(found)
    assert np.isin(large, found).all()
