"""A backup holds what cannot be made again, costs only what is new, and brings an empty lake back."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.commands.backup_contents import Extent
from dagster_project.commands.backup_format import OBJECTS, Backup, open_backup
from dagster_project.commands.backup_restoring import BackupRestoring, Restored
from dagster_project.commands.backup_writing import BackupWriter, Written
from dagster_project.commands.context import Session
from dagster_project.commands.pruning import Kind, find
from dagster_project.commands.release_freezing import freeze_release
from minemap_assets.errors import BadInputError, MinemapError, StorageError
from minemap_assets.graph.graph import Scope
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.lake.lake import Lake
from minemap_assets.publication.releases.frozen import releases
from servers.object_storage import storage
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def copy(finished: Chain, tmp_path: Path) -> Chain:
    return finished.copied(tmp_path / "copy")


class Keeping:
    """Backs up a project into one place, every time an hour later."""

    def __init__(self, chain: Chain, place: str) -> None:
        self.chain = chain
        self.place = place
        self._now = datetime(2026, 1, 31, 6, tzinfo=UTC)

    @property
    def backup(self) -> Backup:
        return open_backup(self.place, self.chain.folder / "state")

    def write(self, extent: Extent = Extent.NEEDED, keep: int | None = None) -> Written:
        session = Session(self.chain.environment, self.chain.registry, self.chain.project_home)
        self._now += timedelta(hours=1)
        return BackupWriter(session.project, session.graph, self.backup, extent, now=lambda: self._now).run(keep)


def restored(place: str, folder: Path, snapshot: str | None = None) -> tuple[Chain, Restored]:
    chain = Chain(folder)
    return chain, BackupRestoring(open_backup(place, folder / "state"), chain.project_home.lake).run(snapshot)


def files(lake: Path) -> dict[str, bytes]:
    paths = (path for path in lake.rglob("*") if path.is_file())
    return {
        name: path.read_bytes()
        for path in paths
        if not (name := path.relative_to(lake).as_posix()).startswith((".staging", ".trash", ".quarantine"))
    }


def current(chain: Chain) -> set[PartitionState]:
    session = Session(chain.environment, chain.registry, chain.project_home)
    return {session.states.state(session.graph.asset(m.ref), m.ref.keys) for m in chain.manifests()}


def test_everything_comes_back_byte_for_byte(copy: Chain, tmp_path: Path) -> None:
    keeping = Keeping(copy, str(tmp_path / "backup"))
    freeze_release(Session(copy.environment, copy.registry, copy.project_home), "the yearly update", "", "Ada")
    written = keeping.write(Extent.EVERYTHING)
    assert (written.damaged, written.new_files > 100) == ([], True)
    again, done = restored(keeping.place, tmp_path / "new")
    assert files(again.folder / "lake") == files(copy.folder / "lake")
    assert [one.by for one in releases(again.project.lake.store)] == ["Ada"]
    assert done.partitions == len(copy.manifests())
    assert (done.files, done.bytes, done.not_held) == (written.files, written.bytes, {})
    _, nothing = restored(keeping.place, tmp_path / "new")
    assert nothing.files == 0, "what is there is not put again"


def test_a_second_backup_writes_what_is_new(copy: Chain, tmp_path: Path) -> None:
    keeping = Keeping(copy, str(tmp_path / "backup"))
    first = keeping.write(Extent.EVERYTHING)
    second = keeping.write(Extent.EVERYTHING)
    assert (second.files, second.new_files) == (first.files, 0)
    _touch_settings(copy)
    third = keeping.write(Extent.EVERYTHING, keep=1)
    assert 0 < third.new_files < 5
    assert third.dropped == [first.snapshot, second.snapshot]
    assert keeping.backup.names == [third.snapshot]
    again, _ = restored(keeping.place, tmp_path / "new")
    assert files(again.folder / "lake") == files(copy.folder / "lake")
    named = {kept.path for kept in keeping.backup.snapshot(third.snapshot).files.values()}
    assert set(keeping.backup.store.list(OBJECTS)) == named


def _touch_settings(chain: Chain) -> None:
    path = chain.folder / "lake" / "inputs" / "minemap.toml"
    path.write_text(f"# as of today\n{path.read_text()}")


def test_one_that_broke_off_goes_on(copy: Chain, tmp_path: Path) -> None:
    keeping = Keeping(copy, str(tmp_path / "backup"))
    whole = Keeping(copy, str(tmp_path / "other")).write(Extent.EVERYTHING)
    seen: list[str] = []

    def breaks(path: str, _: int) -> None:
        seen.append(path)
        if len(seen) > 40:
            raise KeyboardInterrupt

    session = Session(copy.environment, copy.registry, copy.project_home)
    with pytest.raises(KeyboardInterrupt):
        BackupWriter(session.project, session.graph, keeping.backup, Extent.EVERYTHING, told=breaks).run()
    assert keeping.backup.names == []
    rest = keeping.write(Extent.EVERYTHING)
    assert rest.new_files == whole.new_files - 40

    lake = Lake.local(tmp_path / "new" / "lake", tmp_path / "new" / "state")
    seen.clear()
    with pytest.raises(KeyboardInterrupt):
        BackupRestoring(keeping.backup, lake, told=breaks).run()
    again, done = restored(keeping.place, tmp_path / "new")
    assert done.files == rest.files - 40
    assert files(again.folder / "lake") == files(copy.folder / "lake")


def test_by_default_it_holds_what_cannot_be_made_again(copy: Chain, tmp_path: Path) -> None:
    """Here a source that has ended: the simulated one, which the settings do not name for the product any more."""
    before = copy.contents()
    small = Keeping(copy, str(tmp_path / "small")).write()
    copy.change('planet-nicfi = ["simulated"]', 'planet-nicfi = ["planet-basemaps"]')
    keeping = Keeping(copy, str(tmp_path / "backup"))
    larger = keeping.write()
    assert larger.bytes > small.bytes
    kept = keeping.backup.snapshot(larger.snapshot).files
    nicfi = {m.ref for m in copy.manifests() if m.summary.get("product") == "planet-nicfi" and m.ref.room == "imagery"}
    assert nicfi
    assert {path.rsplit("/", 1)[0] for path in kept if path.endswith(".tif")} == {ref.prefix for ref in nicfi}
    assert any(path.startswith("inputs/models/") for path in kept)
    assert all(f"{m.ref.prefix}/manifest.json" in kept for m in copy.manifests())

    again, done = restored(keeping.place, tmp_path / "new")
    assert {m.ref for m in again.manifests()} == nicfi
    assert sum(done.not_held.values()) == len(before) - len(nicfi)
    again.change('planet-nicfi = ["planet-basemaps"]', 'planet-nicfi = ["simulated"]')
    assert not again.run("+sites").failures
    assert not again.run("imagery").failures
    after = again.contents()
    assert {ref: after[ref] for ref in after if ref.startswith("imagery")} == {
        ref: before[ref] for ref in before if ref.startswith("imagery[")
    }


def test_damage_on_either_side_is_told(copy: Chain, tmp_path: Path) -> None:
    keeping = Keeping(copy, str(tmp_path / "backup"))
    raster = next((copy.folder / "lake" / "imagery" / "imagery").rglob("*.tif"))
    good = raster.read_bytes()
    raster.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    written = keeping.write(Extent.EVERYTHING)
    (sentence,) = written.damaged
    assert str(raster.parent) in sentence
    assert written.files < len(files(copy.folder / "lake"))
    raster.write_bytes(good)
    whole = keeping.write(Extent.EVERYTHING)
    assert whole.damaged == []
    kept = keeping.backup.snapshot(whole.snapshot).files[raster.relative_to(copy.folder / "lake").as_posix()]
    (tmp_path / "backup" / kept.path).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(BadInputError, match="is damaged; choose another snapshot"):
        restored(keeping.place, tmp_path / "new")
    (tmp_path / "backup" / kept.path).unlink()
    with pytest.raises(BadInputError, match=r"lacks the bytes of .*nothing was changed"):
        restored(keeping.place, tmp_path / "newer")
    assert not (tmp_path / "newer" / "lake" / "inputs").exists()


def test_a_lake_with_something_else_is_not_written_over(copy: Chain, finished: Chain, tmp_path: Path) -> None:
    keeping = Keeping(copy, str(tmp_path / "backup"))
    keeping.write()
    other = finished.copied(tmp_path / "new")
    _touch_settings(other)
    before = files(other.folder / "lake")
    with pytest.raises(BadInputError, match="is something else than in the backup; nothing was changed"):
        restored(keeping.place, tmp_path / "new")
    assert files(other.folder / "lake") == before


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a\\b", ""])
def test_a_snapshot_that_leads_out_of_the_lake_is_refused(copy: Chain, tmp_path: Path, name: str) -> None:
    keeping = Keeping(copy, str(tmp_path / "backup"))
    path = tmp_path / "backup" / "snapshots" / f"{keeping.write().snapshot}.json"
    raw = json.loads(path.read_text())
    raw["files"][name] = next(iter(raw["files"].values()))
    path.write_text(json.dumps(raw))
    with pytest.raises(BadInputError, match="cannot be read"):
        restored(keeping.place, tmp_path / "new")
    assert not (tmp_path / "new" / "lake" / "inputs").exists()


def test_places_that_are_none(copy: Chain, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("dear")
    for place, why in (
        (str(foreign), "holds other files and is no backup"),
        (str(copy.folder / "lake" / "backup"), "lie in each other"),
        (str(copy.folder), "lie in each other"),
        (" ", "is empty"),
    ):
        with pytest.raises(BadInputError, match=why):
            Keeping(copy, place).write()
    with pytest.raises(BadInputError, match="there is no backup at"):
        restored(str(tmp_path / "nowhere"), tmp_path / "new")
    keeping = Keeping(copy, str(tmp_path / "backup"))
    name = keeping.write().snapshot
    with pytest.raises(BadInputError, match=f"has no snapshot 'old'; its snapshots are {name}"):
        restored(keeping.place, tmp_path / "new", "old")
    _raise_format(tmp_path / "backup" / "snapshots" / f"{name}.json", "layout")
    with pytest.raises(StorageError, match="was written by a newer minemap"):
        restored(keeping.place, tmp_path / "new")
    _raise_format(tmp_path / "backup" / "backup.json", "backup")
    with pytest.raises(MinemapError, match="was made by a newer minemap"):
        restored(keeping.place, tmp_path / "new")


def _raise_format(path: Path, name: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: 99}))


def test_pruned_partitions_come_back_pruned_and_current(copy: Chain, tmp_path: Path) -> None:
    session = Session(copy.environment, copy.registry, copy.project_home)
    scope = Scope(frozenset(), tuple(session.project.active_regions()), YEARS)
    for found in find(session, (Kind.PIXELS, Kind.CHIPS), scope, 90):
        assert found.files > 0
        found.delete()
    keeping = Keeping(copy, str(tmp_path / "backup"))
    assert keeping.write(Extent.EVERYTHING).damaged == []
    again, _ = restored(keeping.place, tmp_path / "new")
    assert files(again.folder / "lake") == files(copy.folder / "lake")
    (again.folder / "state").mkdir(exist_ok=True)
    shutil.copy(copy.folder / "state" / "minemap.duckdb", again.folder / "state" / "minemap.duckdb")
    assert current(again) == {PartitionState.CURRENT}


def test_a_backup_lies_in_a_bucket_as_well(copy: Chain, tmp_path: Path) -> None:
    with storage() as bucket:
        keeping = Keeping(copy, f"{bucket.url}/backup")
        first = keeping.write(Extent.IMAGERY)
        assert first.damaged == []
        assert keeping.write(Extent.IMAGERY).new_files == 0
        again, done = restored(keeping.place, tmp_path / "new")
        assert done.partitions > 0
        rasters = {name: data for name, data in files(copy.folder / "lake").items() if name.endswith(".tif")}
        imagery = {name: data for name, data in rasters.items() if name.startswith("imagery/")}
        assert {n: d for n, d in files(again.folder / "lake").items() if n.endswith(".tif")} == imagery
