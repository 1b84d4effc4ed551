"""`minemap model`: models that come from elsewhere, go elsewhere, are listed, shown and put in use."""

import json

import pytest

from minemap_assets.segmentation.promotion import PROMOTION_PATH
from models import write_model
from terminal import Terminal


@pytest.fixture
def version(project: Terminal) -> str:
    """A model that was brought into the project."""
    found = write_model(project.folder / "given", labelled_sites=12)
    answer = project("model", "import", "given", "--by", "Ada", "--note", "the northern model")
    assert answer.code == 0, answer.err
    assert f"Model {found[:12]} is kept now; `minemap model promote {found[:12]}` puts it in use." in answer.out
    return found


def test_a_project_without_models_says_where_they_come_from(project: Terminal) -> None:
    assert "There is no model yet: `minemap run --select +model_evaluation` trains one" in project("model", "list").out
    assert json.loads(project("model", "list", "--json").out) == []
    for words in (("card",), ("export", "out")):
        answer = project("model", *words)
        assert answer.code == 2
        assert "there is no model yet; train one with" in answer.sentence


def test_a_model_that_was_brought_is_listed_and_put_in_use(project: Terminal, version: str) -> None:
    (listed,) = json.loads(project("model", "list", "--json").out)
    assert listed["version"] == version
    assert listed["origin"].endswith("given, by Ada")
    assert (listed["verdict"], listed["in_use_since"], listed["was_in_use"]) == ("cannot be judged", "", False)
    answer = project("model", "promote")
    assert answer.code == 0, answer.err
    assert f"Model {version[:12]} is in use now" in answer.out
    assert "Verdict: cannot be judged; it was made elsewhere and has not been scored" in answer.out
    (decision,) = json.loads((project.lake / PROMOTION_PATH).read_text())["promotions"]
    assert (decision["version"], decision["verdict"]) == (version, "cannot be judged")
    assert "is in use already" in project("promote", version[:8]).out
    (listed,) = json.loads(project("model", "list", "--json").out)
    assert listed["in_use_since"] == decision["at"]
    assert "cannot be judged" in project("model", "list").out
    told = json.loads(project("status", "--json").out)
    assert told["model_in_use"]["version"] == version
    assert "In use: model" in project("status").out


def test_of_several_models_one_has_to_be_named(project: Terminal, version: str) -> None:
    write_model(project.folder / "second", seed=2)
    assert project("model", "import", "second").code == 0
    assert "name one that `minemap model list` shows" in project("model", "promote").sentence
    answer = project("model", "promote", "zzz")
    assert f"no model's version begins with 'zzz'; models that are kept: {version[:12]}"[:60] in answer.sentence
    assert "no model's version begins with 'zzz'; the models are: " in project("model", "card", "zzz").sentence


def test_a_model_goes_out_with_its_card(project: Terminal, version: str) -> None:
    card = project("model", "card", version[:6])
    assert card.code == 0, card.err
    assert card.out.startswith(f"# Model {version[:12]}\n")
    assert "Labelled sites: 12." in card.out
    assert project("model", "card", version[:6], "--output", "card.md").code == 0
    assert (project.folder / "card.md").read_text() == card.out
    assert "cannot be written" in project("model", "card", version[:6], "--output", "no/card.md").sentence
    assert project("model", "export", "out", version[:6]).code == 0
    assert (project.folder / "out" / "MODEL_CARD.md").read_text() == card.out
    assert "is there already" in project("model", "export", "out", version[:6]).sentence
    assert "was kept already" in project("model", "import", "out").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere",), "nowhere does not exist"),
        (("given", "--threshold", "0.5"), "needs all of --bands, --product and --threshold"),
        (("given", "--threshold", "half"), "it has to be a number"),
        (
            ("given", "--bands", "red", "--product", "x", "--mean", "1", "--std", "1", "--threshold", "0.5"),
            "is a minemap model",
        ),
    ],
)
def test_mistakes_with_an_import(project: Terminal, words: tuple[str, ...], sentence: str) -> None:
    write_model(project.folder / "given")
    answer = project("model", "import", *words)
    assert answer.code == 2
    assert sentence in answer.sentence
    assert not (project.lake / "inputs" / "models").exists()
