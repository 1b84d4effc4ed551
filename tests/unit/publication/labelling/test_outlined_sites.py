"""Outlines that people drew: what is one, how they are kept, and how they become ground truth."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.publication.labelling.outlined_sites import (
    MOST_CORNERS,
    OUTLINES_PATH,
    Outline,
    add_outline,
    outline_of,
    read_outlines,
    register_outlines,
    remove_outline,
    set_name,
)
from minemap_assets.reference.catalogue import read_catalogue, read_entry
from minemap_assets.reference.registered import has_labels, polygon_sets
from minemap_assets.reference.registration import withdraw
from tiny import Chain

SAID = {"region": "alder-basin", "place": "m1", "year": 2019, "author": "anna", "date": "2026-11-23"}


def square(x: float = 0.0, side: float = 0.001, **said: object) -> Outline:
    ring = [(x, 1.5), (x + side, 1.5), (x + side, 1.5 + side), (x, 1.5 + side)]
    return outline_of(ring, **{**SAID, **said})


@pytest.mark.parametrize(
    ("ring", "said"),
    [
        ([(0.0, 0.0), (0.1, 0.1)], "three corners"),
        ([(0.0, 0.0), (0.1, 0.1), (0.0, 0.0)], "three corners"),
        ([(0.0, 0.0), (0.1, 0.1), (0.1, 0.0), (0.0, 0.1)], "crosses or touches itself"),
        ([(0.0, 0.0), (1e-5, 0.0), (1e-5, 1e-5)], "less than a pixel"),
        ([(n * 1e-6, 0.0) for n in range(MOST_CORNERS + 1)], "at most 5,000 corners"),
    ],
)
def test_what_is_no_outline_is_refused(ring: list[tuple[float, float]], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        outline_of(ring, **SAID)


@given(st.floats(-179.0, 178.0), st.floats(-60.0, 60.0), st.floats(0.001, 0.5))
def test_an_outline_keeps_its_ground(x: float, y: float, side: float) -> None:
    ring = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    found = outline_of(ring, **SAID)
    assert found.polygon.area == pytest.approx(side * side, rel=1e-3)
    assert found == outline_of(ring, **SAID)


def test_outlines_of_a_year_are_ground_truth_until_they_are_taken_back(chain: Chain) -> None:
    store = chain.project.lake.store
    for name in polygon_sets(chain.project):
        withdraw(store, name)
    first, second = square(note='<script>"'), square(0.01, author="ben")
    for one in (first, second, first):
        add_outline(store, one)
    add_outline(store, square(0.02, year=2020))
    assert read_outlines(store)[:2] == (first, second)
    done = register_outlines(store, 2019, "CC0-1.0")
    assert done is not None
    assert (done.entry.name, done.entry.role, done.entry.features) == (set_name(2019), "labels", 2)
    assert (done.entry.reference_year, done.entry.citation) == (2019, "Outlined by anna, ben")
    assert has_labels(chain.project)
    frame = read_entry(done.entry, store)
    assert set(frame["outline_id"]) == {first.outline_id, second.outline_id}
    assert list(frame["author"]) == ["anna", "ben"]
    for one in (first, second):
        assert remove_outline(store, one.outline_id) == one
    assert remove_outline(store, first.outline_id) is None
    assert register_outlines(store, 2019, "CC0-1.0") is None
    assert read_catalogue(store).find(set_name(2019)) is None
    assert len(read_outlines(store)) == 1


def test_two_people_who_save_at_once_lose_nothing(chain: Chain) -> None:
    store = chain.project.lake.store

    def save(number: int) -> None:
        add_outline(store, square(0.01 * number))
        register_outlines(store, 2019, "CC0-1.0")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(save, range(6)))
    entry = read_catalogue(store).find(set_name(2019))
    assert entry is not None
    assert entry.features == len(read_outlines(store)) == 6


def test_a_damaged_file_is_not_taken_for_an_empty_one(chain: Chain) -> None:
    store = chain.project.lake.store
    add_outline(store, square())
    store.write_bytes(OUTLINES_PATH, b'{"features": [{}]}')
    with pytest.raises(BadInputError, match="cannot be read"):
        add_outline(store, square(0.01))
    store.delete(OUTLINES_PATH)
    with pytest.raises(BadInputError, match="is gone; its last good version"):
        read_outlines(store)
    Inputs(store).restore(OUTLINES_PATH)
