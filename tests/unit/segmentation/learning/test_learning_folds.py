"""Folds: groups stay whole, every member is asked about ground that it has not seen."""

from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.segmentation.learning.folds import members
from minemap_assets.segmentation.training_set import ChipRef


def refs(shares: list[tuple[str, float]]) -> list[ChipRef]:
    return [ChipRef(0, n, "p", f"s{n}", group, "train", share) for n, (group, share) in enumerate(shares)]


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 0.1, 0.7])), min_size=1), st.integers(1, 5)
)
def test_folds_are_a_partition_of_whole_groups(shares: list[tuple[str, float]], folds: int) -> None:
    chips = refs(shares)
    found = members(chips, folds)
    mined = {ref.group for ref in chips if ref.mine_fraction > 0}
    if min(folds, len(mined)) < 2:
        assert len(found) == 1
        assert found[0].taught == tuple(chips)
        assert not found[0].unseen
        return
    assert len(found) == min(folds, len(mined))
    assert sorted(ref.chip for one in found for ref in one.unseen) == list(range(len(chips)))
    for one in found:
        assert {ref.group for ref in one.taught}.isdisjoint(ref.group for ref in one.unseen)
        assert len(one.taught) + len(one.unseen) == len(chips)
        assert any(ref.mine_fraction > 0 for ref in one.taught)
        assert any(ref.mine_fraction > 0 for ref in one.unseen)


def test_a_giant_does_not_leave_the_others_a_fold_to_themselves() -> None:
    chips = refs([("giant", 0.9)] * 10 + [(f"g{n}", 0.1 - n / 1000) for n in range(5)])
    assert sorted(len({r.group for r in one.unseen}) for one in members(chips, 3)) == [2, 2, 2]
