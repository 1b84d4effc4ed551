"""The lake: what readers see, what a rerun keeps, and what happens in between."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.errors import BadInputError, BusyError, NotFoundError, PermanentError
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Missing, Outcome, PartitionRef, digest
from minemap_assets.lake.store import Patience
from minemap_assets.lake.writer import PartitionWriter, WriteRules

REF = PartitionRef("imagery", "imagery", ("alder", "2019"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "home", tmp_path / "state")


def write(name: str, text: str, item: str | None = None):
    def build(writer: PartitionWriter) -> Outcome:
        writer.path(name).write_text(text)
        writer.add(name, content_key=item)
        return Outcome({"rows": 1})

    return build


def make(lake: Lake, build, config: object = None, inputs: dict[str, str] | None = None):
    return build_partition(lake, REF, code_version="1", config=config, inputs=inputs or {}, build=build)


def test_a_partition_is_kept_while_nothing_changes_and_redone_when_something_does(lake: Lake) -> None:
    first, made = make(lake, write("a.txt", "one"))
    assert made
    again, made = make(lake, write("a.txt", "two"))
    assert not made
    assert again == first
    changed, made = make(lake, write("a.txt", "two"), config={"threshold": 0.5})
    assert made
    assert changed.content != first.content
    _, made = make(lake, write("a.txt", "two"), config={"threshold": 0.5}, inputs={"sites[alder]": "other"})
    assert made


def test_a_damaged_or_missing_file_is_made_again(lake: Lake) -> None:
    make(lake, write("a.txt", "one"))
    path = lake.open(REF).file("a.txt")
    path.write_text("two")
    assert make(lake, write("a.txt", "one"))[1]
    path.unlink()
    assert make(lake, write("a.txt", "one"))[1]
    assert lake.open(REF).file("a.txt").read_text() == "one"


def test_what_is_missing_is_tried_again_unless_asking_again_is_useless(lake: Lake) -> None:
    def with_gap(retry: bool):
        def build(writer: PartitionWriter) -> Outcome:
            write("a.txt", "one")(writer)
            return Outcome(missing=[Missing(item="m1", reason="no answer", retry=retry)])

        return build

    make(lake, with_gap(retry=True))
    assert make(lake, with_gap(retry=False))[1]
    assert not make(lake, with_gap(retry=False))[1]


def test_a_failed_build_leaves_the_earlier_partition_untouched(lake: Lake) -> None:
    make(lake, write("a.txt", "one"))

    def broken(writer: PartitionWriter) -> Outcome:
        writer.path("a.txt").write_text("half")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        make(lake, broken, config="new")
    assert lake.open(REF).file("a.txt").read_text() == "one"
    assert not list((Path(lake.store.root) / ".staging").iterdir())


def test_items_of_an_interrupted_build_are_reused_and_orphans_removed(lake: Lake) -> None:
    def first(writer: PartitionWriter) -> Outcome:
        for name in ("a.tif", "b.tif"):
            writer.path(name).write_text(name)
            writer.add(name, content_key=digest(name))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(lake, first)
    with pytest.raises(NotFoundError):
        lake.open(REF)

    reused = []

    def second(writer: PartitionWriter) -> Outcome:
        reused.append(writer.reuse("a.tif", digest("a.tif")))
        assert writer.reuse("c.tif", digest("c.tif")) is None
        return Outcome()

    manifest, _ = make(lake, second)
    assert reused[0] is not None
    assert [f.name for f in manifest.files] == ["a.tif"]
    left = [p for p in lake.store.list(REF.prefix) if not p.endswith("manifest.json")]
    assert len(left) == 1


def test_a_damaged_item_is_not_adopted_by_the_next_run(lake: Lake) -> None:
    def build(writer: PartitionWriter) -> Outcome:
        if writer.reuse("a.tif", digest("a")) is None:
            writer.path("a.tif").write_text("whole")
            writer.add("a.tif", content_key=digest("a"))
        return Outcome()

    make(lake, build)
    lake.open(REF).file("a.tif").write_text("WHOLE")
    make(lake, build)
    assert lake.open(REF).file("a.tif").read_text() == "whole"


def test_folders_are_published_whole_and_read_back(lake: Lake) -> None:
    def build(writer: PartitionWriter) -> Outcome:
        (writer.path("chips.zarr") / "c" / "0").mkdir(parents=True)
        (writer.path("chips.zarr") / "c" / "0" / "0").write_text("chunk")
        (writer.path("chips.zarr") / "zarr.json").write_text("{}")
        writer.add("chips.zarr")
        return Outcome()

    make(lake, build)
    tree = lake.open(REF).tree("chips.zarr")
    assert (tree / "c" / "0" / "0").read_text() == "chunk"
    assert (tree / "zarr.json").exists()
    with pytest.raises(NotFoundError):
        lake.open(REF).tree("labels.zarr")


def test_content_is_equal_for_equal_files_in_two_folders(tmp_path: Path) -> None:
    contents = set()
    for name in ("one", "two"):
        lake = Lake.local(tmp_path / name, tmp_path / "state" / name)
        manifest, _ = make(lake, write("a.txt", "same"))
        contents.add(manifest.content)
    assert len(contents) == 1


def test_a_lake_of_a_newer_version_is_refused_with_advice(lake: Lake) -> None:
    make(lake, write("a.txt", "one"))
    path = Path(lake.store.root) / REF.prefix / "manifest.json"
    raw = json.loads(path.read_text())
    raw = {name: value for name, value in raw.items() if name != "seal"} | {"layout": 99}
    path.write_text(json.dumps(raw))
    with pytest.raises(PermanentError, match=r"newer minemap.*update"):
        lake.open(REF)


def test_a_torn_manifest_counts_as_not_made(lake: Lake) -> None:
    make(lake, write("a.txt", "one"))
    path = Path(lake.store.root) / REF.prefix / "manifest.json"
    path.write_text(path.read_text()[:40])
    assert lake.manifest(REF) is None
    assert make(lake, write("a.txt", "one"))[1]


def test_two_writers_of_one_partition_are_told_apart(lake: Lake) -> None:
    with (
        lake.writer(REF, "print"),
        pytest.raises(BusyError, match=r"is held by process \d+ .*; run the same command again"),
        lake.writer(REF, "print"),
    ):
        pass


HOLD = """
import sys, time
from pathlib import Path
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
lake = Lake.local(Path(sys.argv[1]), Path(sys.argv[2]))
with lake.writer(PartitionRef("imagery", "imagery", ("alder", "2019")), "p"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_leaves_no_lock(lake: Lake) -> None:
    command = [sys.executable, "-c", HOLD, lake.store.root, str(lake.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "held"
        with pytest.raises(BusyError), lake.writer(REF, "p"):
            pass
        os.kill(process.pid, signal.SIGKILL)
    with lake.writer(REF, "p", WriteRules(patience=Patience(5.0))):
        pass


def test_a_second_writer_waits_says_for_whom_and_keeps_what_the_first_one_made(lake: Lake) -> None:
    waited: list[str] = []
    inside, made = threading.Event(), list[bool]()

    def slow(writer: PartitionWriter) -> Outcome:
        inside.set()
        time.sleep(0.5)
        return write("a.txt", "one")(writer)

    def second() -> None:
        inside.wait()
        rules = WriteRules(patience=Patience(30.0, waited.append))
        make_with = write("a.txt", "two")
        made.append(
            build_partition(lake, REF, code_version="1", config=None, inputs={}, build=make_with, rules=rules)[1]
        )

    thread = threading.Thread(target=second)
    thread.start()
    assert make(lake, slow)[1]
    thread.join()
    assert made == [False]
    assert len(waited) == 1
    assert f"process {os.getpid()}" in waited[0]
    assert lake.open(REF).file("a.txt").read_text() == "one"


def test_a_read_only_lake_is_one_clear_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    lake = Lake.local(blocked, tmp_path / "state")
    with pytest.raises((BadInputError, PermanentError), match=r"could not be written to|cannot be written to"):
        make(lake, write("a.txt", "one"))


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.lists(st.integers())))
def test_digest_does_not_depend_on_order(value: dict[str, object]) -> None:
    assert digest(value) == digest(dict(reversed(list(value.items()))))
