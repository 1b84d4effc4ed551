"""Models between projects: what comes in is looked at first, and goes out as it came."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dagster_project.commands.model_exchange import Given
from minemap_assets.errors import BadInputError
from minemap_assets.lake.lake import Lake
from minemap_assets.project.project import Project
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.segmentation.artefact import ModelCard, open_model, write_card
from minemap_assets.segmentation.assets import PROMOTED_MODEL, SEGMENTATION_MODEL
from minemap_assets.segmentation.card_text import CARD_TEXT, Standing, card_text
from minemap_assets.segmentation.exchange import Facts, export_model, import_model, read_normalisation
from minemap_assets.segmentation.metrics import ALL
from minemap_assets.segmentation.model_origins import IMPORTS_PATH, imports
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.promotion import (
    MADE_ELSEWHERE,
    Promotion,
    find_model,
    kept_versions,
    mark_of,
    promote,
    verdict_on,
)
from minemap_assets.segmentation.verdict import Grade, Verdict
from models import BANDS, product_card, write_model
from projects import make, project_at

FOUR = Normalisation(mean=(1000.0,) * 4, spread=(500.0,) * 4)
FACTS = Facts(BANDS, {"sentinel-2-l2a": FOUR}, 0.5, licence="MIT")


@pytest.fixture
def project(lake: Lake) -> Project:
    return project_at(Path(lake.store.root), lake.state)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that another project has written."""
    write_model(tmp_path / "given")
    return tmp_path / "given"


def refused(project: Project, folder: Path, facts: Facts | None = None) -> str:
    """The sentence with which a folder is refused; nothing is kept then."""
    with pytest.raises(BadInputError) as error:
        import_model(project, folder, "Ada", facts)
    assert kept_versions(project.lake.store) == []
    assert project.lake.store.size(IMPORTS_PATH) is None
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


def segformer(folder: Path, bands: int = 4, **changes: Any) -> Path:
    """What transformers itself writes."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    shape: dict[str, Any] = {
        "hidden_sizes": [8, 8, 8, 8],
        "depths": [1] * 4,
        "num_attention_heads": [1] * 4,
        "decoder_hidden_size": 8,
    }
    config = SegformerConfig(**(shape | {"num_channels": bands, "num_labels": 2} | changes))
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    return folder


def test_a_model_from_another_project_keeps_its_version_and_can_be_put_in_use(
    project: Project, model: Path, tmp_path: Path
) -> None:
    version = open_model(model).version
    (model / ".DS_Store").write_bytes(b"junk")
    done = import_model(project, model, "Ada", note="from the north")
    assert (done.version, done.new, done.notes) == (version, True, ())
    (record,) = imports(project)
    assert (record.version, record.by, record.note) == (version, "Ada", "from the north")
    assert record.source == str(model)
    assert import_model(project, model, "Ben").new is False
    assert len(imports(project)) == 1
    found = find_model(project.lake, version[:6], SEGMENTATION_MODEL.ref(), tmp_path / "scratch")
    assert found is not None
    promote(project, found, "Ada")
    assert mark_of(project) == "cannot be judged"
    assert verdict_on(project, version) == Verdict(Grade.UNKNOWN, MADE_ELSEWHERE, version)
    made = make(project, PROMOTED_MODEL).manifest
    assert made.summary["version"] == version
    assert {file.name for file in made.files} == {
        "model/config.json",
        "model/model.json",
        "model/weights-0.safetensors",
    }


def test_what_goes_out_comes_in_elsewhere_as_the_same_model(project: Project, model: Path, tmp_path: Path) -> None:
    original = open_model(model)
    text = card_text(original, Standing(Verdict(Grade.WEAK, "on 5 places", original.version)))
    target = tmp_path / "out" / "model"
    export_model(original, target, text)
    assert (target / CARD_TEXT).read_text() == text
    assert import_model(project, target, "Ada").version == original.version
    with pytest.raises(BadInputError, match="is there already; give a folder"):
        export_model(original, target, text)


def test_a_model_that_changed_on_its_way_is_refused(project: Project, model: Path, tmp_path: Path) -> None:
    original = open_model(model)
    target = tmp_path / "out"
    export_model(original, target, card_text(original, Standing(Verdict(Grade.WEAK, "s", original.version))))
    weights = target / "weights-0.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert f"is damaged: its content is not the model {original.version[:12]}" in refused(project, target)


@pytest.mark.parametrize("name", ["config.json", "weights-0.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused(project: Project, model: Path, name: str) -> None:
    (model / name).unlink()
    assert name in refused(project, model)


def test_a_card_without_its_network_or_a_network_without_its_card_is_refused(project: Project, model: Path) -> None:
    (model / "model.json").unlink()
    assert "it has no model.json; copy it again" in refused(project, model)
    (model / "model.json").write_text("{")
    assert "is not a minemap model card" in refused(project, model)


def test_cut_weights_are_refused(project: Project, model: Path) -> None:
    weights = model / "weights-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "weights" in refused(project, model)


def test_weights_that_are_no_numbers_are_refused(project: Project, model: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(model / "weights-0.safetensors")
    state["head.bias"].fill_(float("nan"))
    save_file(state, model / "weights-0.safetensors")
    assert "some of its weights are no numbers" in refused(project, model)


def test_other_bands_and_products_are_refused(project: Project, tmp_path: Path) -> None:
    three = ("red", "green", "blue")
    write_model(tmp_path / "three", bands=three)
    assert "reads the bands red, green, blue, and this project's chips have blue, green, red, nir" in refused(
        project, tmp_path / "three"
    )
    write_model(tmp_path / "landsat", products={"landsat": product_card()})
    assert "unknown product 'landsat'" in refused(project, tmp_path / "landsat")
    write_model(tmp_path / "top", products={"sentinel-2-l1c": product_card()})
    assert "knows sentinel-2-l1c, and this project is mapped from sentinel-2-l2a" in refused(project, tmp_path / "top")


def test_a_product_that_a_model_lacks_is_told(project: Project, tmp_path: Path) -> None:
    periods = '{ product = "planet-nicfi", until = 2024 }, { product = "sentinel-2-l2a", from = 2025 }'
    project.lake.store.write_bytes(SETTINGS_PATH, f"[imagery]\nproducts = [{periods}]\n".encode())
    write_model(tmp_path / "one", products={"sentinel-2-l2a": product_card()})
    both = project_at(Path(project.lake.store.root), project.lake.state)
    assert import_model(both, tmp_path / "one", "Ada").notes == (
        "it does not know planet-nicfi: years that are mapped from it fail",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"normalisation": Normalisation(mean=(1.0,), spread=(1.0,))}, "4 bands, but 1 means and 1 spreads"),
        ({"normalisation": Normalisation(mean=(1.0,) * 4, spread=(0.0,) * 4)}, "its spreads above zero"),
        ({"operating_points": {"match_area": 1.5}}, "have to lie between 0 and 1"),
        ({"operating_points": {}}, "have to lie between 0 and 1"),
    ],
)
def test_a_card_that_says_the_impossible_is_refused(
    project: Project, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    write_model(tmp_path / "odd", products={"sentinel-2-l2a": product_card(**changes)})
    assert said in refused(project, tmp_path / "odd")


def test_a_folder_of_transformers_needs_what_it_does_not_say(project: Project, tmp_path: Path) -> None:
    folder = segformer(tmp_path / "theirs")
    assert "give --bands, --product, --mean and --std" in refused(project, folder)
    done = import_model(project, folder, "Ada", FACTS)
    kept = find_model(project.lake, done.version, SEGMENTATION_MODEL.ref(), tmp_path / "scratch")
    assert kept is not None
    assert kept.card.bands == BANDS
    assert kept.card.licence == "MIT"
    assert kept.card.products["sentinel-2-l2a"].operating_points == {"match_area": 0.5, "max_miou": 0.5}
    assert "imported from theirs" in kept.card.origin
    assert import_model(project, folder, "Ada", FACTS).version == done.version


def test_a_folder_of_transformers_with_other_bands_or_classes_is_refused(project: Project, tmp_path: Path) -> None:
    assert "reads 3 bands, and 4 are needed" in refused(project, segformer(tmp_path / "rgb", 3), FACTS)
    assert "has 5 classes" in refused(project, segformer(tmp_path / "five", num_labels=5), FACTS)


def test_what_is_no_model_is_refused(project: Project, model: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused(project, tmp_path / "nowhere")
    assert "is a file; give the folder" in refused(project, model / "config.json")
    (tmp_path / "empty").mkdir()
    assert "holds no model: it has no config.json" in refused(project, tmp_path / "empty")
    assert "is a minemap model, whose model.json says its bands" in refused(project, model, FACTS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Given(threshold=0.5), "needs all of --bands, --product and --threshold"),
        (Given("red", ("p",), "1", "1", threshold=1.0), "lies between 0 and 1, not 1.0"),
        (Given("red", ("p",), "1", "1", threshold=0.5, reduction=3), "one of 1, 2, 4 and 8, not 3"),
        (Given("red", ("p",), threshold=0.5), "needs --mean and --std, or --normalisation FILE"),
        (Given("red", ("p",), "1,2", "1", threshold=0.5), "2 numbers for 1 bands"),
        (Given("red", ("p",), "a", "1", threshold=0.5), "'a' is no list of numbers"),
        (Given("red", ("p",), "1", "1", Path("x"), 0.5), "give one or the other"),
    ],
)
def test_options_that_do_not_fit_each_other(given: Given, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        given.facts()


def test_options_come_to_facts() -> None:
    assert Given().facts() is None
    facts = Given("red, nir", ("p",), "1,2", "3,4", threshold=0.5, reduction=2).facts()
    assert facts == Facts(("red", "nir"), {"p": Normalisation(mean=(1, 2), spread=(3, 4))}, 0.5, 2)


def test_a_normalisation_file_holds_one_for_all_or_one_a_product(tmp_path: Path) -> None:
    path = tmp_path / "n.json"
    path.write_text(json.dumps({"mean": [1, 2], "std": [3, 4]}))
    assert read_normalisation(path, ["a", "b"])["b"] == Normalisation(mean=(1, 2), spread=(3, 4))
    path.write_text(json.dumps({"a": {"mean": [1], "spread": [2]}}))
    assert read_normalisation(path, ["a"]) == {"a": Normalisation(mean=(1,), spread=(2,))}
    for bad in ("{", "[]", '{"mean": [1]}', '{"b": {}}', '{"mean": 1, "std": 2}'):
        path.write_text(bad)
        with pytest.raises(BadInputError, match="is no normalisation of a; write a JSON file"):
            read_normalisation(path, ["a"])


def test_the_card_tells_what_people_ask(model: Path) -> None:
    write_card(
        ModelCard.model_validate(
            open_model(model).card.model_dump()
            | {"inputs": {"training_chips[north]": "ab" * 32}, "labelled_sites": 12, "licence": "CC-BY-4.0"}
        ),
        model,
    )
    one = open_model(model)
    common = {"split": "test", "stratum": ALL, "product": "planet-nicfi", "operating_point": "match_area", "miou": 0.8}
    scores = pd.DataFrame(
        [
            common | {"group": "", "method": "model", "iou": 0.61, "iou_low": 0.5, "iou_high": 0.7},
            common | {"group": "g1", "method": "model", "iou": 0.1, "iou_low": 0.0, "iou_high": 0.2},
        ]
    )
    decision = Promotion(version=one.version, by="Ada", at="2026-01-01", verdict="usable", sentence="s", note="why")
    verdict = Verdict(Grade.USABLE, "on 5 places, IoU 0.61", one.version)
    text = card_text(one, Standing(verdict, (decision,), scores, in_use=True))
    for said in (
        f"Version: `{one.version}`",
        "- In use: yes.",
        "Network: U-Net (",
        "widths [4, 8]",
        "**usable**: on 5 places, IoU 0.61.",
        "Put in use on 2026-01-01 by Ada, with the verdict usable (why).",
        "| test | planet-nicfi | model | match_area | 0.610 (0.500 to 0.700) | 0.800 |",
        "| blue | 1000 | 500 |",
        "logistic(0.9 x margin - 0.1), chosen on: folds",
        "Operating points: match_area 0.4000, max_miou 0.6000.",
        "Labelled sites: 12.",
        "| training_chips[north] | " + "ab" * 32,
        "CC-BY-4.0",
    ):
        assert said in text, said
    assert "0.100" not in text
    assert "Nothing is recorded" in card_text(open_model_without_licence(model), Standing(verdict))


def open_model_without_licence(folder: Path) -> Any:
    write_card(open_model(folder).card.model_copy(update={"licence": ""}), folder)
    return open_model(folder)
