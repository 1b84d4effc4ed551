"""Kills, damage and races by chance, from fixed seeds; `make chaos` does the same in the large."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos import damage, kills, races, whole_runs
from chaos.holdings import file_of, holding, left_behind
from chaos.places import Bucket, Disk
from chaos.racer import REF
from chaos.races import Said, judged, one_race
from chaos.tally import Outcome, Tally
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome as Built
from minemap_assets.lake.writer import PartitionWriter
from servers.object_storage import Storage, storage
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.chaos]


@pytest.fixture(scope="module")
def disk(finished: Chain) -> Disk:
    return Disk(finished)


@pytest.fixture(scope="module")
def server() -> Iterator[Storage]:
    with storage() as running:
        yield running


def losses(outcomes: list[Outcome]) -> str:
    return "\n".join(loss for one in outcomes for loss in one.losses)


def tried(outcomes: list[Outcome]) -> int:
    return sum(one.tried for one in outcomes)


@pytest.mark.parametrize("seed", ["4711"])
def test_killed_runs_leave_nothing_that_the_next_one_does_not_mend(disk: Disk, tmp_path: Path, seed: str) -> None:
    outcomes = kills.series(disk, tmp_path / "chain", seed, 3, from_nothing=False, fast=True)
    assert not losses(outcomes)
    assert tried(outcomes) == 3


def test_what_a_killed_run_left_on_its_way_is_removed_though_nothing_is_to_be_made(disk: Disk, tmp_path: Path) -> None:
    chain = disk.copied(tmp_path / "chain")
    left = tmp_path / "chain" / "lake" / ".staging" / "tables~database"
    left.mkdir(parents=True)
    left.with_name("tables~database.lock").touch()
    assert left_behind(chain)
    assert {result.state.value for result in chain.run().results} == {"kept"}
    assert not left_behind(chain)


@pytest.mark.parametrize("seed", ["815"])
def test_one_run_mends_all_damage_on_a_disk(disk: Disk, tmp_path: Path, seed: str) -> None:
    outcomes = damage.round_of_damage(disk, tmp_path / "chain", seed, 0, 12)
    assert not losses(outcomes)
    assert tried(outcomes) == 12


@pytest.mark.parametrize("seed", ["42"])
def test_damage_that_no_time_betrays_is_found_when_it_is_read_or_verified(
    disk: Disk, tmp_path: Path, seed: str
) -> None:
    assert not losses(damage.round_unseen(disk, tmp_path / "chain", seed, 0, 3))


@pytest.mark.parametrize("seed", ["7"])
def test_a_registered_file_that_is_damaged_is_named(disk: Disk, tmp_path: Path, seed: str) -> None:
    assert not losses(damage.round_of_references(disk, tmp_path / "chain", seed))


@pytest.mark.parametrize("seed", ["31"])
def test_one_run_mends_all_damage_in_an_object_store(
    disk: Disk, finished: Chain, server: Storage, tmp_path: Path, seed: str
) -> None:
    bucket = Bucket.filled(server.url, tmp_path, finished)
    assert not bucket.expected.against(disk.expected)
    outcomes = damage.round_of_damage(bucket, tmp_path / "chain", seed, 0, 6)
    assert not losses(outcomes)
    assert tried(outcomes) == 6


@pytest.mark.parametrize("where", ["disk", "object store"])
@pytest.mark.parametrize("kind", [races.WRITERS, races.STOPPED, races.KILLED, races.READERS])
def test_of_several_writers_none_replaces_a_later_result(
    server: Storage, tmp_path: Path, kind: str, where: str
) -> None:
    folder = tmp_path / "race"
    home = str(folder / "lake") if where == "disk" else f"{server.url}/{kind.replace(' ', '-')}"
    assert not losses(one_race(home, folder, "12", kind))


@pytest.mark.parametrize("seed", ["3"])
def test_eight_registrations_at_once_are_all_kept(disk: Disk, finished: Chain, tmp_path: Path, seed: str) -> None:
    source = next((finished.folder / "lake/inputs/reference/simulated_broad").rglob("*.parquet"))
    outcomes = whole_runs.registrations(disk, tmp_path / "chain", seed, source)
    assert not losses(outcomes)


def test_every_kind_of_difference_is_seen(disk: Disk, tmp_path: Path) -> None:
    chain = disk.copied(tmp_path / "chain")
    store = disk.store(chain)
    assert not holding(store).against(disk.expected)
    by_kind = damage.targets(disk, chain)
    changed = by_kind["imagery/imagery/*.tif"][0].path
    gone = by_kind["tables/polygons/polygons.parquet"][0].path
    unreadable = by_kind["sites/sites/manifest.json"][0].path
    disk.rewrite(chain, changed, store.read_bytes(changed)[:-1] + b"?")
    store.delete(gone)
    disk.rewrite(chain, unreadable, b"{")
    file_of(chain, "inputs/minemap.toml").write_text("# another\n")
    told = holding(store).against(disk.expected)
    assert f"{changed} is not what its manifest says" in told
    assert f"{gone} is named and not there" in told
    assert f"{unreadable.rsplit('/', 1)[0]}/ is gone" in told
    assert "inputs/minemap.toml differs" in told


def test_a_result_that_was_overwritten_by_an_earlier_one_is_seen(tmp_path: Path) -> None:
    lake = Lake.local(tmp_path / "lake", tmp_path / "state")
    said = []

    def build(writer: PartitionWriter) -> Built:
        said.append(Said(0.0, "holds", {"print": writer.fingerprint, "base": ""}))
        writer.write("a.txt", lambda path: path.write_text(writer.fingerprint))
        return Built()

    for config in ("first", "second"):
        made, _ = build_partition(lake, REF, code_version="1", config=config, inputs={}, build=build)
        said.append(Said(0.0, "made", {"print": made.fingerprint}))
    # both began from nothing, and both think that they have published
    assert len([told for told in judged(lake.store, said) if "began before it" in told]) == 1
    linear = [said[0], said[1], Said(0.0, "holds", {**said[2].facts, "base": said[0].facts["print"]}), said[3]]
    assert not judged(lake.store, linear)


def test_a_stopped_run_goes_on_from_what_it_wrote_down(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "outcomes.jsonl")
    tally.add("one", [Outcome("kill", "disk", 3, 3, 2, ("a file is gone",))])
    tally.add("two", [Outcome("kill", "disk", 2, 2, 2)])
    again = Tally(tmp_path / "outcomes.jsonl")
    assert again.done == tally.done
    assert again.losses == ["one: a file is gone"]
    assert "| kill | disk | 5 | 5 | 4 | 1 |" in again.table()
