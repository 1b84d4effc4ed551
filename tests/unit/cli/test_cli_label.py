"""`minemap label` without its pages: what there is to label, how far people agree, and whose labels count."""

import json
from collections.abc import Callable, Mapping

import pytest

from minemap_assets.publication.labelling.sitting import sit
from minemap_assets.publication.labelling.tasks import open_task
from minemap_assets.validation.sample_files import (
    DrawnPoint,
    DrawnStratum,
    SampleDesign,
    register_sample,
    sample_labels,
)
from terminal import Terminal
from tiny import Chain

YEAR = 2018
SAYS = Callable[[str, Mapping[str, str]], None]


@pytest.fixture
def sample(chain: Chain) -> str:
    """Four points of one year."""
    stratum = DrawnStratum(
        iso3="XAA",
        kind="stable mine",
        area_km2=1.0,
        points=4,
        mapped_start_km2=1.0,
        mapped_end_km2=1.0,
        mapped_both_km2=1.0,
    )
    points = tuple(
        DrawnPoint(
            point_id=f"p{n}",
            longitude=0.0,
            latitude=1.5,
            stratum=0,
            region="alder-basin",
            site_id="m",
            mapped_start="mine",
            mapped_end="mine",
        )
        for n in range(4)
    )
    design = SampleDesign(
        start_year=YEAR,
        end_year=YEAR,
        regions=("alder-basin",),
        seed=0,
        minimum=2,
        allocation="neyman",
        near_boundary_m=20.0,
        left_out_km2=0.0,
        strata=(stratum,),
        points=points,
    )
    register_sample(chain.project.lake.store, design)
    return design.name


@pytest.fixture
def says(chain: Chain, sample: str) -> SAYS:
    def answer(who: str, answers: Mapping[str, str]) -> None:
        one = sit(chain.project, open_task(chain.project, sample), who)
        for point, said in answers.items():
            one.give({"point_id": point, "year": YEAR, "answer": said})

    return answer


def test_whose_labels_count_is_listed_and_changed(minemap: Terminal, chain: Chain, sample: str, says: SAYS) -> None:
    assert "was labelled by nobody yet; agreement needs two" in minemap("label", "agreement", sample).sentence
    assert "there are no answers to hand over of the agreed labels" in minemap("label", "hand-over", sample).sentence
    says("anna", {"p0": "mine", "p1": "mine", "p2": "not mine", "p3": "cannot tell"})
    says("ben", {"p0": "mine", "p1": "not mine", "p2": "not mine"})
    (told,) = json.loads(minemap("label", "list", "--json").out)
    assert told == {
        "task": sample,
        "kind": "sample",
        "years": [YEAR],
        "points": 4,
        "answered": {"anna": 4, "ben": 3},
        "differ": 1,
        "handed_over": "the labels of anna",
    }
    listed = minemap("label", "list")
    assert "anna: 4, ben: 3" in listed.out
    handed = minemap("label", "hand-over", sample, "--annotator", "ben")
    assert "the labels of ben are handed over, 3 of 4 points" in handed.out
    assert {label.interpreter for label in sample_labels(chain.project, sample).values()} == {"ben"}
    assert "the agreed labels are handed over, 2 of 4 points" in minemap("label", "hand-over", sample).out
    assert set(sample_labels(chain.project, sample)) == {"p0", "p2"}
    assert (
        "no answers to hand over of the labels of cleo"
        in minemap("label", "hand-over", sample, "--annotator", "cleo").sentence
    )


def test_agreement_in_words_and_as_json(minemap: Terminal, sample: str, says: SAYS) -> None:
    says("anna", {"p0": "mine", "p1": "mine", "p2": "not mine", "p3": "cannot tell"})
    says("ben", {"p0": "mine", "p1": "not mine", "p2": "not mine", "p3": "not mine"})
    told = minemap("label", "agreement", sample)
    assert told.code == 0, told.err
    # of 4 answers 2 alike; by chance (2 x 1 + 1 x 3 + 1 x 0) / 16 = 5 / 16, so kappa is 3 / 11
    assert "anna and ben: 4 answers in common, 50% alike, kappa 0.273" in told.out
    # without the one that anna could not tell: 2 of 3, by chance (2 x 1 + 1 x 2) / 9 = 4 / 9, so kappa is 2 / 5
    assert "Where both could tell (3): 67% alike, kappa 0.400" in told.out
    assert f"`minemap label sample {sample} --adjudicate` shows both answers and decides" in told.out
    found = json.loads(minemap("label", "agreement", sample, "--json").out)
    assert found["pairs"][0]["all_answers"]["value"] == pytest.approx(3 / 11)
    assert [(one["point_id"], dict(one["said"])) for one in found["differences"]] == [
        ("p1", {"anna": "mine", "ben": "not mine"}),
        ("p3", {"anna": "cannot tell", "ben": "not mine"}),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sample", "nothing"), "there is no sample 'nothing'"),
        (("points", "nothing.geojson"), "the project has no image of any year yet"),
        (("points", "nothing.geojson", "--years", "2018"), "nothing.geojson does not exist"),
        (("detections", "2018"), "2018 has no sample of detections"),
        (("outline", "--region", "alder-basin"), "there is no image of 2019 to outline mines on"),
        (("agreement", "nothing"), "there is nothing to label of the name 'nothing'"),
    ],
)
def test_what_cannot_be_labelled_is_said_in_a_sentence(
    minemap: Terminal, chain: Chain, words: tuple[str, ...], said: str
) -> None:
    assert chain.folder.is_dir()
    answer = minemap("label", *words)
    assert answer.code != 0
    assert said in answer.sentence


def test_a_name_that_no_label_can_carry_is_refused(minemap: Terminal, sample: str) -> None:
    answer = minemap("label", "sample", sample, "--annotator", "../anna", "--no-browser")
    assert "no name that labels can carry" in answer.sentence


def test_nothing_to_label_yet(minemap: Terminal, chain: Chain) -> None:
    assert chain.folder.is_dir()
    assert "`minemap sample draw --year YEAR --size POINTS` draws a sample" in minemap("label", "list").out
