"""Connected components and the threshold search, against plain loops."""

import numpy as np

from minemap_assets.geo.components import components, rows_by_label
from minemap_assets.geo.thresholds import best_edge


def test_labels_follow_first_appearance() -> None:
    assert components(6, [4, 5], [0, 1]).tolist() == [0, 1, 2, 3, 0, 1]
    assert components(0, [], []).tolist() == []
    assert components(2, [], []).tolist() == [0, 1]


def test_rows_by_label() -> None:
    assert [rows.tolist() for rows in rows_by_label(np.array([0, 1, 0, 2, 1]))] == [[0, 2], [1, 4], [3]]
    assert rows_by_label(np.zeros(0, dtype=np.int64)) == []


def test_the_best_edge_is_the_one_brute_force_finds() -> None:
    random = np.random.default_rng(5)
    for _ in range(50):
        inside, outside = random.integers(0, 20, (2, 9))
        scores = {}
        for above in (True, False):
            for edge in range(9):
                chosen = np.arange(9) >= edge if above else np.arange(9) < edge
                scores[edge, above] = inside[chosen].sum() / (inside.sum() + outside[chosen].sum())
        found = best_edge(inside, outside)
        assert found.iou == max(scores.values()) == scores[found.bin, found.above]
        assert best_edge(inside, outside, first=1).bin >= 1


def test_of_two_that_are_as_good_values_above_and_the_lowest_edge_are_taken() -> None:
    found = best_edge([0, 0, 5], [5, 0, 0])
    assert (found.bin, found.above, found.iou) == (1, True, 1.0)
    assert not best_edge([5, 0, 0], [0, 0, 5]).above
