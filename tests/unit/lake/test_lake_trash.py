"""The trash: what a commit drops can be had back, and a commit that would drop too much does not go through."""

import time
from pathlib import Path

import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Missing, Outcome, PartitionRef, digest
from minemap_assets.lake.trash import Trash
from minemap_assets.lake.writer import PartitionWriter, WriteRules

REF = PartitionRef("imagery", "imagery", ("alder", "2019"))
FETCHED = WriteRules(most_dropped=0.25, fetched=True)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "home", tmp_path / "state")


class Fetching:
    """Writes a raster for each site, and counts those that it had to fetch."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.fetched = 0

    def run(
        self, sites: int, season: str = "dry", rules: WriteRules = FETCHED, failing: int = 0, retry: bool = False
    ) -> None:
        def build(writer: PartitionWriter) -> Outcome:
            for site in range(sites - failing):
                name, key = f"m{site}.tif", digest([site, season])
                if writer.reuse(name, key) is None:
                    self.fetched += 1
                    writer.path(name).write_text(f"{site} {season}")
                    writer.add(name, content_key=key)
            writer.write("index.parquet", lambda path: path.write_text(f"{sites} {season}"))
            lost = range(sites - failing, sites)
            return Outcome(missing=[Missing(item=f"m{n}", reason="gone dark", retry=retry) for n in lost])

        build_partition(self.lake, REF, code_version="1", config=[sites, season], inputs={}, build=build, rules=rules)

    def texts(self) -> set[str]:
        partition = self.lake.open(REF)
        return {partition.file(name).read_text() for name in partition.names() if name.endswith(".tif")}


def trashed(lake: Lake) -> int:
    return sum(not thrown.path.endswith("index.parquet") for thrown in Trash(lake.store).everything())


def test_a_commit_that_would_drop_too_much_is_refused_and_changes_nothing(lake: Lake) -> None:
    work = Fetching(lake)
    work.run(20)
    with pytest.raises(BadInputError, match=r"would lose 6 of its 20 files, such as m14\.tif .*--accept-losses"):
        work.run(14)
    assert len(work.texts()) == 20
    assert lake.open(REF).file("index.parquet").read_text() == "20 dry"
    assert trashed(lake) == 0


def test_what_failed_to_be_fetched_is_named_as_the_reason(lake: Lake) -> None:
    work = Fetching(lake)
    work.run(4)
    with pytest.raises(BadInputError, match=r"would lose 2 of its 4 files, such as m2\.tif \(gone dark\)"):
        work.run(4, "wet", failing=2)


def test_what_is_tried_again_by_the_next_run_is_no_loss(lake: Lake) -> None:
    work = Fetching(lake)
    work.run(4)
    work.run(4, "wet", failing=3, retry=True)
    assert work.texts() == {"0 wet"}
    work.run(4)
    assert work.fetched == 5
    assert work.texts() == {f"{n} dry" for n in range(4)}


def test_what_is_dropped_comes_back_from_the_trash_without_being_fetched(lake: Lake) -> None:
    work = Fetching(lake)
    work.run(8)
    work.run(6)
    assert trashed(lake) == 2
    assert len(work.texts()) == 6
    work.run(8)
    assert work.fetched == 8
    assert len(work.texts()) == 8
    assert trashed(lake) == 0


def test_what_was_fetched_is_kept_too_when_other_pixels_take_its_place(lake: Lake) -> None:
    work = Fetching(lake)
    work.run(4)
    work.run(4, "wet")
    assert trashed(lake) == 4
    work.run(4)
    assert work.fetched == 8
    assert work.texts() == {f"{n} dry" for n in range(4)}


def test_what_can_be_made_again_is_not_kept_when_it_is_replaced(lake: Lake) -> None:
    work = Fetching(lake)
    work.run(4, rules=WriteRules())
    work.run(4, "wet", rules=WriteRules())
    assert trashed(lake) == 0
    told: list[str] = []
    work.run(2, "wet", rules=WriteRules(told=told.append))
    assert trashed(lake) == 2
    assert told == [f"{REF}: 2 files that it no longer holds lie in the trash, which `minemap prune` empties"]


def test_a_damaged_file_in_the_trash_is_not_taken_back(lake: Lake) -> None:
    work = Fetching(lake)
    work.run(4)
    work.run(3)
    (thrown,) = Trash(lake.store).everything()
    (Path(lake.store.root) / thrown.path).write_text("4 wet")
    work.run(4)
    assert work.fetched == 5
    assert work.texts() == {f"{n} dry" for n in range(4)}


def test_the_trash_is_emptied_of_what_has_lain_there_long_enough(lake: Lake) -> None:
    work = Fetching(lake)
    work.run(8)
    work.run(6)
    trash = Trash(lake.store)
    assert trash.empty(before=time.time_ns() - 3_600_000_000_000) == []
    assert len(trash.empty(before=time.time_ns() + 1_000_000_000)) == 2
    assert list(trash.everything()) == []
    assert not (Path(lake.store.root) / ".trash").exists()
