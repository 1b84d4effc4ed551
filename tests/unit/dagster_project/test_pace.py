"""What a run says of the time that is left: nothing too early, nothing that nobody can know."""

import pytest

from dagster_project.pace import Pace, Stage, exact, spoken
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import Outcome, PartitionRef

FETCHED = Asset(room="toys", name="fetched", description="A toy.", build=lambda _: Outcome())
MADE = Asset(room="toys", name="made", description="A toy.", build=lambda _: Outcome())


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refs(asset: Asset, number: int) -> list[PartitionRef]:
    return [asset.ref((str(n),)) for n in range(number)]


def test_nothing_is_foretold_in_the_first_seconds(clock: Clock) -> None:
    pace = Pace(refs(MADE, 10), {MADE: 60.0}, clock)
    clock.now += 1.0
    assert pace.left() is None
    clock.now += 3.0
    assert str(pace.left()) == "about 10 min left"


def test_what_this_run_takes_counts_more_than_what_earlier_ones_took(clock: Clock) -> None:
    due = refs(MADE, 11)
    pace = Pace(due, {MADE: 60.0}, clock)
    clock.now += 20.0
    pace.ended(due[0], 20.0, made=True)
    left = pace.left()
    assert left is not None
    assert (left.seconds, left.at_least) == (200.0, False)


def test_what_is_kept_is_no_measure_of_what_is_made(clock: Clock) -> None:
    due, kept = refs(MADE, 4), MADE.ref(("kept",))
    pace = Pace(due, {MADE: 50.0}, clock)
    clock.now += 5.0
    pace.ended(kept, 0.01, made=False)
    pace.ended(due[0], 0.0, made=False)
    left = pace.left()
    assert left is not None
    assert left.seconds == 150.0


def test_work_of_which_nobody_knows_how_long_it_takes_is_not_guessed(clock: Clock) -> None:
    due = [*refs(MADE, 3), *refs(FETCHED, 3)]
    clock.now += 10.0
    assert Pace(due, {}, clock).left() is None
    pace = Pace(due, {MADE: 40.0}, clock)
    clock.now += 10.0
    assert str(pace.left()) == "at least 2 min left"


def test_a_stage_is_measured_by_its_own_steps_and_not_by_what_was_adopted(clock: Clock) -> None:
    ref = FETCHED.ref(("0",))
    pace = Pace([ref], {}, clock)
    for done in range(1, 501):  # an earlier run had fetched them
        pace.went_on(Stage(ref, "fetching site", done, 600))
    assert pace.stage_left() is None
    for done in range(501, 521):
        clock.now += 4.0
        pace.went_on(Stage(ref, "fetching site", done, 600))
    left = pace.stage_left()
    assert left is not None
    assert left.seconds == pytest.approx(80 * 4.0)
    assert str(pace.left()) == "about 5 min left"
    assert str(pace.stage) == "fetching site 520 of 600"


def test_the_next_stage_and_the_next_partition_begin_anew(clock: Clock) -> None:
    ref, other = MADE.ref(("0",)), MADE.ref(("1",))
    pace = Pace([ref, other], {}, clock)
    for done in range(1, 11):
        clock.now += 1.0
        pace.went_on(Stage(ref, "training step", done, 100, "loss 0.5"))
    assert pace.stage_left() is not None
    pace.went_on(Stage(ref, "calibrating product", 0, 2, "planet-nicfi"))
    assert pace.stage_left() is None
    assert str(pace.stage) == "calibrating product 0 of 2, planet-nicfi"
    pace.ended(ref, 10.0, made=True)
    assert pace.stage is None
    assert str(pace.left()) == "about 10 s left"


def test_the_partition_in_work_takes_what_is_left_of_it(clock: Clock) -> None:
    due = refs(MADE, 2)
    pace = Pace(due, {MADE: 100.0}, clock)
    pace.went_on(Stage(due[0], "", 1, 4))
    clock.now += 60.0
    left = pace.left()
    assert left is not None
    assert left.seconds == 140.0
    clock.now += 600.0  # it takes longer than ever
    left = pace.left()
    assert left is not None
    assert (left.seconds, left.at_least) == (100.0, True)
    pace = Pace(due[:1], {MADE: 100.0}, clock)
    pace.went_on(Stage(due[0], "", 1, 4))
    clock.now += 600.0
    assert pace.left() is None


@pytest.mark.parametrize(
    ("seconds", "foretold", "passed"),
    [
        (0.4, "5 s", "0.4 s"),
        (12.0, "10 s", "12 s"),
        (57.0, "1 min", "57 s"),
        (334.0, "6 min", "5 min 34 s"),
        (3590.0, "1 h", "59 min 50 s"),
        (5100.0, "1 h 25 min", "1 h 25 min"),
        (86_400.0, "24 h", "24 h 0 min"),
    ],
)
def test_times_for_people(seconds: float, foretold: str, passed: str) -> None:
    assert spoken(seconds) == foretold
    assert exact(seconds) == passed
