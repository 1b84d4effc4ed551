"""Damage, losses and decisions as a person at the command line meets them."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
import shapely

from commands import command
from dagster_project.commands.context import Session
from dagster_project.commands.serving import restore_all
from dagster_project.instance import open_instance
from minemap_assets.lake.store import Entry, LocalStore
from minemap_assets.project.regions import REGIONS_PATH, write_regions
from minemap_assets.segmentation.assets import PROMOTED_MODEL
from minemap_assets.segmentation.promotion import PROMOTION_PATH
from minemap_assets.simulation.built_in_worlds import ALDER
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

YEARS = ("--years", "2017-2019")


@pytest.fixture
def copy(finished: Chain, tmp_path: Path) -> Chain:
    return finished.copied(tmp_path / "copy")


def path_of(chain: Chain, room: str, asset: str, *keys: str, name: str) -> Path:
    manifest = chain.open(room, asset, *keys).manifest
    stored = next(f for f in manifest.files if re.fullmatch(name, f.name))
    return Path(chain.home or chain.folder / "lake") / manifest.ref.prefix / stored.path


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def test_verify_names_what_is_damaged_and_the_next_run_makes_it_again(copy: Chain) -> None:
    before = copy.contents()
    assert command(copy, "verify").code == 0
    chunk = path_of(copy, "chips", "chips", ALDER, "2017", name=r"chips\.zarr/pixels/c/0/0/0/0")
    weights = path_of(copy, "segmentation", "segmentation_model", name=r"model/weights-0\.safetensors")
    mask = path_of(copy, "segmentation", "raw_masks", ALDER, "2018", name=r".*\.tif")
    flip(chunk)
    flip(mask)
    weights.unlink()

    only_told = command(copy, "verify", "--report")
    assert only_told.code == 1
    assert chunk.exists()
    told = command(copy, "verify")
    assert told.code == 1, told.text
    for path in (chunk, weights, mask):
        assert str(path) in told.text.replace("\n", "")
    assert "3 of them damaged or gone" in told.text
    assert not chunk.exists()

    healed = command(copy, "run", *YEARS)
    assert healed.code == 0, healed.text
    assert copy.contents() == before
    assert command(copy, "verify").code == 0
    assert "0 asset partitions made" in command(copy, "run", *YEARS).text

    assert list((copy.folder / "lake" / ".quarantine").rglob("*.tif"))
    assert "0 files" in command(copy, "prune").text
    assert "2 files (" in command(copy, "prune", "--older-than", "0", "--dry-run").text
    assert command(copy, "prune", "--older-than", "0", "--yes").code == 0
    assert not (copy.folder / "lake" / ".quarantine").exists()


def test_a_damaged_reference_file_is_told_and_nothing_is_made_from_it(copy: Chain) -> None:
    entries = json.loads(copy.project.lake.store.read_bytes("inputs/reference/catalogue.json"))["entries"]
    path = copy.folder / "lake" / entries[0]["file"]
    flip(path)
    told = command(copy, "verify")
    assert told.code == 1
    assert str(path) in told.text.replace("\n", "")
    assert "1 damaged among the inputs" in told.text


def test_a_region_that_shrinks_takes_no_raster_away_without_a_word(copy: Chain) -> None:
    fetching = ("run", "--select", "+imagery", *YEARS)
    store, before = copy.project.lake.store, copy.contents()
    regions = copy.project.regions
    kept = copy.frame("sites", "sites", ALDER, file="sites.parquet").geometry.iloc[0]
    small = replace(regions[ALDER], geometry=shapely.intersection(regions[ALDER].geometry, kept))
    store.write_bytes(REGIONS_PATH, write_regions(list((dict(regions) | {ALDER: small}).values())))

    refused = command(copy, *fetching)
    assert refused.code == 1
    assert re.search(rf"imagery\[{ALDER}\|2017\] would lose \d of its \d files", refused.text), refused.text
    assert "--accept-losses" in refused.text
    assert copy.contents()[f"imagery[{ALDER}|2017]"] == before[f"imagery[{ALDER}|2017]"]

    accepted = command(copy, *fetching, "--accept-losses")
    assert accepted.code == 0, accepted.text
    assert "lie in the trash, which `minemap prune` empties" in accepted.text.replace("\n", " ")

    versions = command(copy, "inputs", "restore", "regions.geojson")
    assert versions.code == 0, versions.text
    back = command(copy, *fetching)
    assert back.code == 0, back.text
    assert copy.contents() == before


def test_only_a_persons_word_changes_the_model_in_use(copy: Chain) -> None:
    first = copy.project.lake.open(PROMOTED_MODEL.ref()).manifest.summary["version"]
    copy.change("steps = 48", "steps = 5")
    assert command(copy, "run", "--select", "+segmentation_model").code == 0
    flip(path_of(copy, "segmentation", "promoted_model", name=r"model/weights-0\.safetensors"))
    healed = command(copy, "run", "--select", "promoted_model")
    assert healed.code == 0, healed.text
    assert "1 asset partitions made" in healed.text
    assert copy.project.lake.open(PROMOTED_MODEL.ref()).manifest.summary["version"] == first

    flip(path_of(copy, "segmentation", "segmentation_model", name=r"model/weights-0\.safetensors"))
    damaged = command(copy, "promote")
    assert damaged.code == 1
    assert "nothing is promoted: `minemap run --select +segmentation_model` makes the model again" in damaged.text
    assert command(copy, "run", "--select", "+segmentation_model").code == 0
    done = command(copy, "promote", "--by", "Ada", "--note", "sharper")
    assert done.code == 0, done.text
    assert f"instead of {first[:12]}, by Ada" in done.text
    assert "is in use already" in command(copy, "promote").text
    written = json.loads(copy.project.lake.store.read_bytes(PROMOTION_PATH))["promotions"]
    assert [(p["version"] == first, p["by"], p["note"]) for p in written][1:] == [(False, "Ada", "sharper")]

    unknown = command(copy, "promote", "zzz")
    assert unknown.code == 2
    assert f"models that are kept: {', '.join(sorted([first[:12], written[-1]['version'][:12]]))}" in unknown.text
    assert command(copy, "promote", first[:10]).code == 0
    assert copy.project.lake.open(PROMOTED_MODEL.ref()).manifest.summary["version"] == first


def test_what_rots_unnoticed_is_healed_by_whoever_reads_it(copy: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file says that it has changed: the step that reads it finds out, and has it made again first."""
    before, real = copy.contents(), LocalStore.entries

    def unchanged(store: LocalStore, prefix: str) -> dict[str, Entry]:
        return {path: Entry(entry.bytes, 0) for path, entry in real(store, prefix).items()}

    monkeypatch.setattr(LocalStore, "entries", unchanged)
    flip(path_of(copy, "chips", "chips", ALDER, "2017", name=r"chips\.zarr/pixels/c/0/0/0/0"))
    shutil.rmtree(copy.folder / "lake" / "segmentation" / "raw_masks" / ALDER / "2017")

    report = copy.run("raw_masks", (2017,))
    assert not report.failures
    assert copy.contents() == before
    with open_instance(copy.environment.dagster_home) as instance:
        events = instance.fetch_materializations(dg.AssetKey(["chips", "chips"]), limit=1).records
        assert [e.partition_key for e in events] == [f"{ALDER}|2017"]
        materialized = events[0].asset_materialization
        assert materialized is not None
        assert materialized.description == "Made again: it was damaged"
    assert command(copy, "verify").code == 0


def test_a_new_ui_is_not_held_up_by_what_is_damaged(copy: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(copy.environment.dagster_home)
    flip(path_of(copy, "imagery", "imagery", ALDER, "2017", name=r"index\.parquet"))
    session = Session(copy.environment, copy.registry, copy.project_home)
    with open_instance(copy.environment.dagster_home) as instance:
        restore_all(session, instance)
        known = instance.get_materialized_partitions(dg.AssetKey(["imagery", "imagery"]))
        assert len(known) == 5
        assert f"{ALDER}|2017" not in known
        assert instance.get_materialized_partitions(dg.AssetKey(["chips", "chips"])) >= {f"{ALDER}|2017"}
    assert f"the next `minemap run` makes imagery[{ALDER}|2017] again" in " ".join(capsys.readouterr().err.split())
