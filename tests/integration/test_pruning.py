"""What may be pruned goes, everything stays current, and nothing is made or fetched because of it."""

import json
import shutil
from pathlib import Path

import pytest

from dagster_project.commands.context import Session
from dagster_project.commands.pruning import Found, Kind, find
from dagster_project.runner import State
from minemap_assets.graph.graph import Scope
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.lake.pruned import PRUNED
from minemap_assets.net.ledger import FOLDER as LEDGERS
from minemap_assets.project.regions import REGIONS_PATH, write_regions
from tiny import WORLD, YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ALDER, BIRCH = sorted(region.slug for region in WORLD.regions)


@pytest.fixture
def copy(finished: Chain, tmp_path: Path) -> Chain:
    return finished.copied(tmp_path / "copy")


def session_of(chain: Chain) -> Session:
    return Session(chain.environment, chain.registry, chain.project_home)


def prune(chain: Chain, *kinds: Kind, days: int = 90, years: tuple[int, ...] = YEARS) -> list[Found]:
    session = session_of(chain)
    scope = Scope(frozenset(), tuple(session.project.active_regions()), years)
    return find(session, kinds, scope, days)


def rasters(chain: Chain, asset: str = "imagery") -> list[Path]:
    return sorted((chain.folder / "lake" / "imagery" / asset).rglob("*.tif"))


def arrays(chain: Chain) -> list[Path]:
    return sorted((chain.folder / "lake" / "chips").rglob("chips-*/**/*"))


def states(chain: Chain) -> set[PartitionState]:
    session = session_of(chain)
    return {session.states.state(session.graph.asset(m.ref), m.ref.keys) for m in chain.manifests()}


def test_pruned_pixels_and_chips_stay_current_until_somebody_needs_them(copy: Chain) -> None:
    before, held = copy.contents(), rasters(copy)
    size = sum(path.stat().st_size for path in held)
    pixels, chips = prune(copy, Kind.PIXELS, Kind.CHIPS)
    assert (pixels.files, pixels.bytes) == (len(held), size)
    assert chips.files > 0
    assert rasters(copy) == held, "finding deletes nothing"

    assert pixels.delete() == chips.delete() == 0
    assert rasters(copy) == [path for path in arrays(copy) if path.is_file()] == []
    assert rasters(copy, "reference_imagery"), "what has no year that could be over stays"
    assert states(copy) == {PartitionState.CURRENT}
    assert [(found.files, found.bytes) for found in prune(copy, Kind.PIXELS, Kind.CHIPS)] == [(0, 0), (0, 0)]

    again = copy.run()
    assert again.count(State.KEPT) == len(again.results)
    assert rasters(copy) == []

    ref = next(m.ref for m in copy.manifests() if m.ref.asset == "raw_masks" and m.ref.keys[0] == ALDER)
    healed = copy.run(forced=frozenset({ref}))
    assert not healed.failures, healed.failures
    assert copy.contents() == before
    assert {path.parent.name for path in rasters(copy)} == {ref.keys[1]}, "its own year was fetched, and no other"
    assert states(copy) == {PartitionState.CURRENT}
    assert not (copy.folder / "lake" / "chips" / "chips" / Path(*ref.keys) / PRUNED).exists()


def test_pixels_stay_where_something_made_from_them_is_not_current(copy: Chain) -> None:
    shutil.rmtree(copy.folder / "lake" / "segmentation" / "raw_masks" / ALDER / str(YEARS[0]))
    (found,) = prune(copy, Kind.PIXELS)
    assert found.delete() == 0
    left = {path.parts[-3:-1] for path in rasters(copy)}
    assert (ALDER, str(YEARS[0])) in left
    assert found.kept == {"partitions: something made from it is not current": len(left)}


def test_pixels_of_a_source_that_is_set_no_more_stay(copy: Chain) -> None:
    session = session_of(copy)
    from dagster_project.commands.refetching import why_lasting

    manifest = next(m for m in copy.manifests() if m.ref.asset == "imagery" and m.summary["product"] == "planet-nicfi")
    assert why_lasting(session.project, manifest) == ""
    served = manifest.model_copy(update={"summary": {**manifest.summary, "sources": ["planet-basemaps"]}})
    assert "planet-basemaps is set for planet-nicfi no more" in why_lasting(session.project, served)
    copy.change('planet-nicfi = ["simulated"]', 'planet-nicfi = ["planet-basemaps"]')
    assert "planet-nicfi has ended" in why_lasting(session_of(copy).project, served)
    assert "simulated is set" in why_lasting(session_of(copy).project, manifest)


def test_a_note_that_was_damaged_says_nothing(copy: Chain) -> None:
    (found,) = prune(copy, Kind.CHIPS)
    found.delete()
    note = next((copy.folder / "lake" / "chips" / "chips").rglob(PRUNED))
    note.write_text("{")
    keys = note.parent.relative_to(copy.folder / "lake" / "chips" / "chips").parts
    session = session_of(copy)
    asset = next(a for a in session.graph.assets if a.name == "chips")
    assert session.states.state(asset, keys) is PartitionState.DAMAGED


def test_orphans_go_to_the_trash_and_come_back_with_their_region(copy: Chain) -> None:
    store, before = copy.project.lake.store, copy.contents()
    assert prune(copy, Kind.ORPHANS)[0].files == 0
    drawn = store.read_bytes(REGIONS_PATH)
    store.write_bytes(REGIONS_PATH, write_regions([r for s, r in copy.project.regions.items() if s != BIRCH]))
    (found,) = prune(copy, Kind.ORPHANS)
    assert found.files > 0
    assert found.delete() == 0
    assert not [ref for ref in before if f"[{BIRCH}" in ref and ref in copy.contents()]
    assert list((copy.folder / "lake" / ".trash" / "imagery" / "imagery" / BIRCH).rglob("*.tif"))
    store.write_bytes(REGIONS_PATH, drawn)
    assert not copy.run("+imagery").failures
    after = copy.contents()
    imagery = {ref for ref in before if ref.startswith("imagery[")}
    assert {ref: after.get(ref) for ref in imagery} == {ref: before[ref] for ref in imagery}
    assert not list((copy.folder / "lake" / ".trash" / "imagery" / "imagery" / BIRCH).rglob("*.tif"))


def test_only_models_that_nothing_refers_to_go_and_to_the_trash(copy: Chain) -> None:
    models = copy.folder / "lake" / "inputs" / "models"
    (held,) = models.iterdir()
    shutil.copytree(held, models / ("0" * 64))
    (found,) = prune(copy, Kind.MODELS)
    assert found.kept == {"models: in use": 1}
    assert found.files == len([path for path in held.rglob("*") if path.is_file()])
    found.delete()
    assert [path.name for path in models.iterdir()] == [held.name]
    assert (copy.folder / "lake" / ".trash" / "inputs" / "models" / ("0" * 64)).is_dir()
    (young,) = prune(copy, Kind.TRASH)
    assert (young.files, young.kept) == (0, {"lie there for less than 90 days": found.files})
    (old,) = prune(copy, Kind.TRASH, days=0)
    assert (old.files, old.delete()) == (found.files, 0)
    assert not (copy.folder / "lake" / ".trash").exists()


def test_caches_go(copy: Chain) -> None:
    cached = copy.folder / "state" / "cache" / "stac" / "block.bin"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"x" * 1000)
    (found,) = prune(copy, Kind.CACHES)
    assert (found.files, found.bytes) == (1, 1000)
    found.delete()
    assert not cached.exists()


def test_the_command_only_says_it_without_a_yes(
    copy: Chain, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    from dagster_project.cli.prune import prune as command

    monkeypatch.setenv("MINEMAP_HOME", copy.environment.home)
    monkeypatch.setenv("MINEMAP_STATE", str(copy.environment.state))
    held = rasters(copy)
    command(pixels=True, as_json=True)
    said = json.loads(capsysbinary.readouterr().out)
    assert (said["deleted"], said["found"][0]["kind"], said["found"][0]["files"]) == (False, "pixels", len(held))
    command(pixels=True, yes=True, dry_run=True)
    text = capsysbinary.readouterr().out.decode()
    assert f"pixels: {len(held)} files" in text
    assert "Nothing was deleted" in text
    assert rasters(copy) == held
    command(pixels=True, yes=True)
    assert rasters(copy) == []


def test_ledgers_of_budgets_go_once_their_runs_are_long_over(copy: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy.folder / "lake" / LEDGERS
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "one.json").write_text('{"requests": 3}')
    (found,) = prune(copy, Kind.TRASH)
    assert found.files == 0
    monkeypatch.setattr("dagster_project.commands.pruning.LEDGER_DAYS", 0)
    (found,) = prune(copy, Kind.TRASH)
    assert (found.files, found.bytes) == (1, 15)
    found.delete()
    assert not (folder / "one.json").exists()
