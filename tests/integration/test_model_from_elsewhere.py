"""A model that was made elsewhere is enough: a project without any labels is mapped with it."""

import json
from pathlib import Path

import pytest

from commands import command
from minemap_assets.reference.registered import reference_entry
from minemap_assets.reference.registration import register
from minemap_assets.simulation.demo import LICENCE
from models import write_model
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

YEAR = ("--years", "2019")


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    """The tiny world, whose outlines only locate mines."""
    chain = Chain(tmp_path / "chain").prepared()
    assert command(chain, "regions", "retire", "birch-delta").code == 0
    project = chain.project
    for name in ("simulated_precise", "simulated_broad"):
        file = project.lake.store.fetch(reference_entry(project, name).file)
        register(project.lake.store, file, name=name, kind="polygons", licence=LICENCE, role="outlines")
    return chain


def test_a_project_without_labels_is_mapped_with_a_model_from_elsewhere(chain: Chain, tmp_path: Path) -> None:
    version = write_model(tmp_path / "given", licence="CC-BY-4.0")
    nothing = command(chain, "promote")
    assert nothing.code == 2
    assert "or bring one with `minemap model import`" in nothing.text
    brought = command(chain, "model", "import", str(tmp_path / "given"), "--by", "Ada")
    assert brought.code == 0, brought.text
    assert f"`minemap model promote {version[:12]}` puts it in use" in brought.text
    (listed,) = json.loads(command(chain, "model", "list", "--json").text)
    assert listed["version"] == version
    assert listed["verdict"] == "cannot be judged"
    assert listed["in_use_since"] == ""
    used = command(chain, "model", "promote", version[:12])
    assert used.code == 0, used.text
    assert "Verdict: cannot be judged; it was made elsewhere" in used.text

    done = command(chain, "run", *YEAR)
    assert done.code == 0, done.text
    assert "no outlines with the role `labels` are registered, so no model was trained" in done.text
    assert "Quality of the model: cannot be judged; it was made elsewhere" in done.text
    made = {manifest.asset for manifest in chain.manifests()}
    assert {"raw_masks", "mining_polygons", "polygons", "country_summary", "database"} <= made
    assert not made & {"reference_imagery", "training_chips", "segmentation_model", "model_evaluation"}
    assert set(chain.table("country_summary", 2019)["model_verdict"]) == {"cannot be judged"}
    assert command(chain, "run", *YEAR).said("made") == []

    card = command(chain, "model", "card").text
    assert card.startswith(f"# Model {version[:12]}\n")
    assert "CC-BY-4.0" in card
    sent = command(chain, "model", "export", str(tmp_path / "out"))
    assert sent.code == 0, sent.text
    assert "Version: " in (tmp_path / "out" / "MODEL_CARD.md").read_text()


def test_a_project_without_labels_or_model_says_what_to_do(chain: Chain) -> None:
    done = command(chain, "run", "--select", "promoted_model")
    assert done.code == 1
    assert "no outlines with the role `labels` are registered to train one on" in done.text
