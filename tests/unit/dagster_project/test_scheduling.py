"""Which step comes next: nothing before its inputs, no pool beyond its room, and nothing left over."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.scheduling import Schedule, Task, pools_of, tasks_of
from graphs import assembled
from minemap_assets.graph.graph import Scope
from minemap_assets.segmentation.assets import MODEL_EVALUATION, PROMOTED_MODEL, RAW_MASKS, SEGMENTATION_MODEL

POOLS = ("fetching", "gpu", "duckdb")


@st.composite
def tasks(draw: st.DrawFn) -> list[Task]:
    """Any order in which things may hang on each other."""
    number = draw(st.integers(0, 14))
    return [
        Task(
            frozenset(draw(st.sets(st.integers(0, n - 1), max_size=4))) if n else frozenset(),
            draw(st.floats(0.0, 100.0)),
        )
        for n in range(number)
    ]


@given(tasks(), st.data())
def test_each_is_begun_once_after_all_before_it_within_its_pools(some: list[Task], data: st.DataObject) -> None:
    limits = {pool: data.draw(st.integers(1, 2), label=pool) for pool in POOLS[:2]}
    pools = [frozenset(data.draw(st.sets(st.sampled_from(POOLS)))) for _ in some]
    unneeded = data.draw(st.sets(st.integers(0, max(0, len(some) - 1))), label="kept or held up")
    workers = data.draw(st.integers(1, 4), label="workers")
    schedule, over, working, begun = Schedule(some, limits), set[int](), set[int](), Counter[int]()
    killed: set[int] = set()
    while True:
        while opened := schedule.opened():
            for number in opened:
                assert some[number].after <= over
                if number in unneeded:
                    schedule.over(number)
                    over.add(number)
                else:
                    schedule.queue(number, pools[number])
        while len(working) < workers and (begins := schedule.begin()) is not None:
            assert begins not in working | over
            begun[begins] += 1
            working.add(begins)
        used = Counter(pool for number in working for pool in pools[number])
        assert all(used[pool] <= limits.get(pool, len(some)) for pool in used)
        if not working:
            break
        ends = data.draw(st.sampled_from(sorted(working)), label="ends")
        working.discard(ends)
        if ends not in killed and data.draw(st.booleans(), label="killed"):
            killed.add(ends)
            schedule.again(ends)
        else:
            schedule.over(ends)
            over.add(ends)
    assert schedule.done, "something is left, and nothing goes on"
    assert over == set(range(len(some)))
    assert begun == Counter({n: 1 + (n in killed) for n in over - unneeded})


def test_of_several_the_one_with_the_longest_way_behind_it_comes_first() -> None:
    # 3 hangs on 2, which is short itself
    schedule = Schedule([Task(seconds=5.0), Task(seconds=8.0), Task(seconds=1.0), Task(frozenset({2}), 60.0)], {})
    assert schedule.opened() == [2, 1, 0]
    for number in (0, 1, 2):
        schedule.queue(number, ())
    assert [schedule.begin() for _ in range(4)] == [2, 1, 0, None]
    schedule.over(2)
    assert schedule.opened() == [3]


def test_a_full_pool_holds_up_nobody_who_does_without_it() -> None:
    schedule = Schedule([Task(seconds=9.0), Task(seconds=8.0), Task(seconds=1.0)], {"gpu": 1})
    for number in schedule.opened():
        schedule.queue(number, {"gpu"} if number < 2 else ())
    assert [schedule.begin() for _ in range(3)] == [0, 2, None]
    schedule.over(0)
    assert schedule.begin() == 1


def test_a_task_before_its_own_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match="comes after 1"):
        Schedule([Task(frozenset({1})), Task()], {})


def test_steps_come_after_all_that_they_read_or_follow(tmp_path: Path) -> None:
    found = assembled(tmp_path)
    scope = Scope(frozenset(found.graph.assets), ("alder", "birch"), (2018, 2019, 2020))
    steps = found.graph.steps(scope)
    some = tasks_of(found.graph, found.project, steps, {}, {})
    maker = {ref: number for number, step in enumerate(steps) for ref in step.refs}
    for number, step in enumerate(steps):
        read = {ref for asset in step.assets for ref in found.graph.reads(asset, step.keys)}
        assert {maker[ref] for ref in read if ref in maker} - {number} <= some[number].after
    # the gate of the first model stands between these, which read nothing of each other
    promotion, model = maker[PROMOTED_MODEL.ref()], maker[SEGMENTATION_MODEL.ref()]
    assert {model, maker[MODEL_EVALUATION.ref()]} <= some[promotion].after
    assert promotion in some[maker[RAW_MASKS.ref(("alder", "2019"))]].after
    late = {steps[0]: steps[1:3]}
    with pytest.raises(ValueError, match="comes after"):
        Schedule(tasks_of(found.graph, found.project, steps, {}, late), {})


def test_what_computes_on_the_accelerator_has_a_pool_of_that_name() -> None:
    assert pools_of([RAW_MASKS]) == {"gpu", "minemap/accelerator"}
    assert pools_of([]) == set()
