"""A person at a sample: answers are stored one by one, taken back, compared, decided about, and handed over."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.publication.labelling.adjudication import differences
from minemap_assets.publication.labelling.answer_files import all_answers, annotator_name, annotator_path
from minemap_assets.publication.labelling.answers import Answers, Given, with_answer, without_answer
from minemap_assets.publication.labelling.handing_over import Handed, choose, handed
from minemap_assets.publication.labelling.sitting import Sitting, adjudicate, sit
from minemap_assets.publication.labelling.tasks import open_task, sample_task
from minemap_assets.validation.sample_files import (
    DrawnPoint,
    DrawnStratum,
    PointLabel,
    SampleDesign,
    register_labels,
    register_sample,
    sample_labels,
)
from tiny import Chain

POINTS = 6


def design() -> SampleDesign:
    stratum = DrawnStratum(
        iso3="XAA",
        kind="gain",
        area_km2=1.0,
        points=POINTS,
        mapped_start_km2=0.0,
        mapped_end_km2=1.0,
        mapped_both_km2=0.0,
    )
    points = tuple(
        DrawnPoint(
            point_id=f"p{n}",
            longitude=0.01 * n,
            latitude=1.5,
            stratum=0,
            region="alder-basin",
            site_id="mgain",
            mapped_start="other",
            mapped_end="mine",
        )
        for n in range(POINTS)
    )
    return SampleDesign(
        start_year=2017,
        end_year=2019,
        regions=("alder-basin",),
        seed=0,
        minimum=2,
        allocation="neyman",
        near_boundary_m=20.0,
        left_out_km2=0.0,
        strata=(stratum,),
        points=points,
    )


@pytest.fixture
def sample(chain: Chain) -> str:
    register_sample(chain.project.lake.store, design())
    return design().name


def sitting(chain: Chain, sample: str, who: str) -> Sitting:
    return sit(chain.project, sample_task(chain.project, sample), who)


def say(one: Sitting, point: int, *answers: str) -> None:
    for year, answer in zip((2017, 2019), answers, strict=False):
        assert one.give({"point_id": f"p{point}", "year": year, "answer": answer})["stored"] is True


def labels(chain: Chain, sample: str) -> dict[str, PointLabel]:
    return sample_labels(chain.project, sample)


def test_every_answer_is_in_the_format_of_the_estimates_at_once(chain: Chain, sample: str) -> None:
    anna = sitting(chain, sample, "anna")
    say(anna, 0, "not mine")
    assert labels(chain, sample)["p0"] == PointLabel(point_id="p0", start=False, end=None, interpreter="anna")
    say(anna, 0, "not mine", "mine")
    anna.note({"point_id": "p0", "confidence": "low", "note": " pit \n or pond "})
    said = PointLabel(point_id="p0", start=False, end=True, interpreter="anna", confidence="low", note="pit or pond")
    assert labels(chain, sample) == {"p0": said}
    say(anna, 1, "cannot tell", "cannot tell")
    assert set(labels(chain, sample)) == {"p0"}
    say(anna, 2, "cannot tell", "mine")
    assert labels(chain, sample)["p2"].start is None
    again = sitting(chain, sample, "anna")
    assert len(again.answers().given) == 6


def test_the_last_answer_is_taken_back_and_what_stood_before_counts_again(chain: Chain, sample: str) -> None:
    anna = sitting(chain, sample, "anna")
    say(anna, 0, "mine", "mine")
    say(anna, 0, "not mine")
    word = {"point_id": "p0", "year": 2017, "answer": "not mine", "undo": True}
    anna.give(word)
    anna.give(word)  # a page that did not hear the first answer sends it again
    assert labels(chain, sample)["p0"].start is True
    for year in (2017, 2019):
        anna.give({"point_id": "p0", "year": year, "answer": "mine", "undo": True})
    assert labels(chain, sample) == {}
    assert anna.answers().given == ()


def test_what_is_sent_twice_counts_once() -> None:
    given = Given(point_id="p0", year=2017, answer="mine")
    once = with_answer(Answers(annotator="anna"), given)
    assert with_answer(once, given) == once
    assert without_answer(without_answer(once, given), given) == Answers(annotator="anna")


def test_two_open_pages_lose_no_answer(chain: Chain, sample: str) -> None:
    pages = [sitting(chain, sample, "anna") for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: say(pages[n % 2], n, "mine", "not mine"), range(POINTS)))
    assert len(pages[0].answers().standing) == 2 * POINTS
    assert len(labels(chain, sample)) == POINTS


def test_nothing_of_maps_or_of_others_is_told(chain: Chain, sample: str) -> None:
    say(sitting(chain, sample, "anna"), 0, "mine", "not mine")
    ben = sitting(chain, sample, "ben")
    told = json.dumps(ben.state() | {"handed": ""})
    assert not any(word in told for word in ("anna", "gain", "mgain", "stratum", "mapped", "mine"))
    say(ben, 0, "not mine", "not mine")
    assert labels(chain, sample)["p0"].interpreter == "anna"  # whose labels count did not change by itself


def test_where_people_differ_somebody_decides_and_the_agreed_labels_count(chain: Chain, sample: str) -> None:
    task, store = sample_task(chain.project, sample), chain.project.lake.store
    anna, ben = sitting(chain, sample, "anna"), sitting(chain, sample, "ben")
    with pytest.raises(BadInputError, match="was labelled by nobody, and it takes two"):
        adjudicate(chain.project, task, "cleo")
    for point in range(3):
        say(anna, point, "mine", "mine")
        say(ben, point, "mine", "mine" if point else "not mine")
    say(anna, 3, "mine", "mine")
    assert [(one.point_id, one.year) for one in differences(task, all_answers(store, sample))] == [("p0", 2019)]
    cleo = adjudicate(chain.project, task, "cleo")
    assert [one["id"] for one in cleo.state()["points"]] == ["p0"]
    assert cleo.state()["disputes"] == [{"id": "p0", "year": 2019, "said": [["anna", "mine"], ["ben", "not mine"]]}]
    assert handed(store, sample) == Handed()
    found = labels(chain, sample)
    assert (found["p0"].start, found["p0"].end) == (True, None)
    assert found["p1"].interpreter == "anna, ben"
    assert "p3" not in found  # only one of them answered it
    say(cleo, 0, "mine", "not mine")
    assert labels(chain, sample)["p0"].end is False
    assert labels(chain, sample)["p0"].interpreter == "anna, ben; decided by cleo"
    with pytest.raises(BadInputError, match="cleo decides about"):
        adjudicate(chain.project, task, "dora")
    assert choose(store, task, Handed(annotator="ben")) == 3
    assert {one.interpreter for one in labels(chain, sample).values()} == {"ben"}


def test_labels_that_came_in_a_file_stay_until_somebody_says_so(chain: Chain, sample: str) -> None:
    store = chain.project.lake.store
    register_labels(store, sample, [PointLabel(point_id="p5", start=True, end=True, interpreter="a file")])
    say(sitting(chain, sample, "anna"), 0, "mine", "mine")
    assert set(labels(chain, sample)) == {"p5"}
    choose(store, sample_task(chain.project, sample), Handed(annotator="anna"))
    assert set(labels(chain, sample)) == {"p0"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"point_id": "p99", "year": 2017, "answer": "mine"}, "there is no point"),
        ({"point_id": ["p0"], "year": 2017, "answer": "mine"}, "there is no point"),
        ({"point_id": "p0", "year": 2018, "answer": "mine"}, "asks nothing of 2018"),
        ({"point_id": "p0", "year": 2017, "answer": "perhaps"}, "is no answer"),
    ],
)
def test_what_is_no_answer_is_refused(chain: Chain, sample: str, words: dict[str, object], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        sitting(chain, sample, "anna").give(words)
    assert labels(chain, sample) == {}


def test_remarks_are_checked(chain: Chain, sample: str) -> None:
    with pytest.raises(BadInputError, match="at most 500 characters"):
        sitting(chain, sample, "anna").note({"point_id": "p0", "note": "x" * 501})
    with pytest.raises(BadInputError, match="high, medium, low"):
        sitting(chain, sample, "anna").note({"point_id": "p0", "confidence": "very"})


def test_a_point_without_any_image_says_so(chain: Chain, sample: str) -> None:
    anna = sitting(chain, sample, "anna")
    assert anna.pictures({"number": "0"}) == {"years": []}  # nothing was fetched yet
    with pytest.raises(NotFoundError):
        anna.picture(0, 2017, "wide")
    with pytest.raises(NotFoundError):
        anna.pictures({"number": "-1"})


def test_names_of_annotators() -> None:
    assert annotator_name("  Anna   Müller ") == "Anna Müller"
    for wrong in ("", "../../x", "a/b", "x" * 61, "<b>"):
        with pytest.raises(BadInputError, match="no name that labels can carry"):
            annotator_name(wrong)
    assert annotator_path("t", "anna").endswith("/annotators/anna.json")
    names = ("anna", "Anna", "ánna", "an na", "an-na")
    assert len({annotator_path("t", name) for name in names}) == len(names)


def test_what_there_is_to_label_is_named(chain: Chain, sample: str) -> None:
    assert open_task(chain.project, sample).questions == 2 * POINTS
    with pytest.raises(BadInputError, match="there is nothing to label of the name"):
        open_task(chain.project, "nothing")
