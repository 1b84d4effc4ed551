"""Putting chip sets together: no ground on two sides, clear refusals, documented fallbacks."""

from collections.abc import Callable

import pytest

from minemap_assets.chips.reader import ChipSet
from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.training_set import ChipLibrary, assemble, one_side_each

from .conftest import no_rows, scene, thirds

Make = Callable[..., ChipSet]


def test_ground_known_to_two_regions_is_on_the_most_held_out_side(chip_set: Make) -> None:
    scenes = [scene(i) for i in range(3)]
    # Both regions hold the sites m000 to m002; their groups have other names and other sides.
    one = chip_set(scenes, region="one", group_of=lambda _: "a", split_of=lambda _: "train")
    two = chip_set(
        scenes, region="two", group_of=lambda c: f"b{c}", split_of=lambda c: ("train", "test", "validation")[c]
    )
    assert one_side_each([one, two]) == {"a": "test", "b0": "test", "b1": "test", "b2": "test"}


def test_separate_ground_keeps_its_side(chip_set: Make) -> None:
    training_set = assemble([chip_set([scene(i) for i in range(8)], split_of=thirds)])
    assert [r.split for r in training_set.refs] == [thirds(i) for i in range(8)]
    assert training_set.notes == ()
    assert training_set.labelled_sites == 8


def test_no_labelled_mine_is_refused(chip_set: Make) -> None:
    nothing = chip_set([scene(i, mine=False) for i in range(4)], split_of=thirds)
    with pytest.raises(BadInputError, match="no training chip holds a labelled mine pixel"):
        assemble([nothing])


def test_no_chips_are_refused(chip_set: Make) -> None:
    with pytest.raises(BadInputError, match="no training chips"):
        assemble([chip_set([], split_of=thirds, frame=no_rows())])


def test_chips_without_labels_are_refused(chip_set: Make) -> None:
    with pytest.raises(BadInputError, match="holds no labels"):
        assemble([chip_set([scene(0)])])


def test_sets_of_other_bands_are_refused(chip_set: Make) -> None:
    one = chip_set([scene(0)], split_of=thirds)
    two = chip_set(
        [(scene(0)[0][:3], scene(0)[1])], bands=("blue", "green", "red"), product="sentinel-2-l2a", split_of=thirds
    )
    with pytest.raises(BadInputError, match="the same \\[chips\\] bands"):
        assemble([one, two])


def test_a_test_side_without_a_mine_is_told(chip_set: Make) -> None:
    scenes = [scene(i, mine=thirds(i) == "train") for i in range(8)]
    training_set = assemble([chip_set(scenes, split_of=thirds)])
    assert training_set.labelled_sites == 4
    assert any("no independent score" in note for note in training_set.notes)


def test_one_group_that_is_held_out_is_still_trained_on(chip_set: Make) -> None:
    training_set = assemble([chip_set([scene(0), scene(1)], split_of=lambda _: "test")])
    assert {r.split for r in training_set.refs} == {"train"}
    assert any("every chip was trained on" in note for note in training_set.notes)


def test_the_library_keeps_to_its_size(chip_set: Make) -> None:
    chips = chip_set([scene(i) for i in range(4)], split_of=thirds)
    refs = assemble([chips]).refs
    none, roomy = ChipLibrary([chips], 0), ChipLibrary([chips], 10)
    assert none.read(refs[0]) is not none.read(refs[0])
    assert roomy.read(refs[0]) is roomy.read(refs[0])
    assert (none.read(refs[3]).pixels == chips.pixels(3)).all()
