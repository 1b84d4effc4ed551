"""Several writers of one partition where a claim may be lost: one result stays whole, no newer one is overwritten."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minemap_assets.errors import ConflictError
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Outcome, PartitionRef, digest
from minemap_assets.lake.store import Entry, LocalStore, Patience
from minemap_assets.lake.workspaces import workspace
from minemap_assets.lake.writer import PartitionWriter, WriteRules

REF = PartitionRef("imagery", "imagery", ("alder", "2019"))


class LaxStore(LocalStore):
    """A folder in which a claim keeps nobody out, as an object store after a long pause."""

    @property
    def excludes(self) -> bool:
        return False

    @contextmanager
    def claim(self, name: str, patience: Patience) -> Iterator[Path]:  # noqa: ARG002
        with workspace(self.staging()) as folder:
            yield folder


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(LaxStore(tmp_path / "home"), tmp_path / "state")


class Writer:
    """A writer that goes on step by step, as slowly as a test wants."""

    def __init__(self, lake: Lake, text: str, rules: WriteRules | None = None) -> None:
        self._context = lake.writer(REF, digest(text), rules)
        self.writer: PartitionWriter = self._context.__enter__()
        self.text = text

    def write(self, key: str = "item") -> None:
        self.writer.write("index.parquet", lambda path: path.write_text(self.text))
        if self.writer.reuse("m1.tif", digest(key)) is None:
            self.writer.path("m1.tif").write_text(self.text)
            self.writer.add("m1.tif", content_key=digest(key))
        (self.writer.path("tree") / "inner").mkdir(parents=True)
        (self.writer.path("tree") / "inner" / "file").write_text(self.text)
        self.writer.add("tree")

    def commit(self) -> None:
        try:
            self.writer.commit("1", {}, Outcome())
        finally:
            self._context.__exit__(None, None, None)


def held(lake: Lake) -> tuple[str, str, str]:
    """What a reader finds, every byte checked."""
    partition = lake.open(REF)
    tree = partition.tree("tree") / "inner" / "file"
    return partition.file("index.parquet").read_text(), partition.file("m1.tif").read_text(), tree.read_text()


def left_over(lake: Lake) -> set[str]:
    manifest = lake.manifest(REF)
    assert manifest is not None
    named = {f"{REF.prefix}/{f.path}" for f in manifest.files} | {f"{REF.prefix}/manifest.json"}
    return set(lake.store.list(REF.prefix)) - named


def test_of_two_writers_the_first_to_publish_wins_and_the_other_leaves_nothing(lake: Lake) -> None:
    one, two = Writer(lake, "one"), Writer(lake, "two")
    one.write("a")
    two.write("b")
    one.commit()
    with pytest.raises(ConflictError, match=r"another run published imagery\[alder\|2019\] meanwhile"):
        two.commit()
    assert held(lake) == ("one", "one", "one")
    assert left_over(lake) == set()


def test_an_old_writer_that_comes_back_overwrites_nothing(lake: Lake) -> None:
    old = Writer(lake, "old")
    old.write("a")
    for text in ("new", "newer"):
        writer = Writer(lake, text)
        writer.write(text)
        writer.commit()
    with pytest.raises(ConflictError):
        old.commit()
    assert held(lake) == ("newer", "newer", "newer")
    assert left_over(lake) == set()


def test_the_same_result_published_in_between_is_another_one_all_the_same(lake: Lake) -> None:
    """Where the old manifest comes back with the same content, an old writer must still not take it for its own."""

    def publish(text: str) -> None:
        writer = Writer(lake, text)
        writer.write(text)
        writer.commit()

    publish("a")
    old = Writer(lake, "old")
    old.write("x")
    publish("b")
    publish("a")
    with pytest.raises(ConflictError):
        old.commit()
    assert held(lake) == ("a", "a", "a")


def test_clean_up_removes_nothing_of_a_writer_that_has_begun_since(lake: Lake) -> None:
    first = Writer(lake, "first")
    first.write("a")
    first.commit()
    slow = Writer(lake, "slow")
    slow.write("b")
    # Its manifest is published, and before it cleans up another writer begins and adopts what the first one left.
    manifest_of_slow = threading.Event()
    clean, waiting = slow.writer._clean_up, threading.Event()

    def clean_later(manifest: object) -> None:
        manifest_of_slow.set()
        waiting.wait()
        clean(manifest)  # type: ignore[arg-type]

    slow.writer._clean_up = clean_later  # type: ignore[method-assign]
    thread = threading.Thread(target=slow.commit)
    thread.start()
    manifest_of_slow.wait()
    next_one = Writer(lake, "next")
    next_one.write("a")
    waiting.set()
    thread.join()
    next_one.commit()
    assert held(lake) == ("next", "first", "next")
    assert left_over(lake) == set()


def test_an_interrupted_writers_item_is_adopted_under_a_name_of_its_own(lake: Lake) -> None:
    dead = Writer(lake, "dead")
    dead.write("a")
    before = set(lake.store.list(REF.prefix))
    writer = Writer(lake, "next")
    writer.write("a")
    writer.commit()
    assert held(lake) == ("next", "dead", "next")
    assert not before & set(lake.store.list(REF.prefix))


@pytest.mark.parametrize("seed", range(20))
def test_any_interleaving_of_three_writers_leaves_one_whole_result(tmp_path: Path, seed: int) -> None:
    lake, chance = Lake(LaxStore(tmp_path / "home"), tmp_path / "state"), random.Random(seed)
    published: list[str] = []
    open_: list[tuple[Writer, int]] = []
    for number in range(30):
        if len(open_) < 3 and chance.random() < 0.5:
            open_.append((Writer(lake, f"{seed}-{number}"), len(published)))
            open_[-1][0].write(chance.choice("abc"))
        elif open_:
            writer, began = open_.pop(chance.randrange(len(open_)))
            try:
                writer.commit()
            except ConflictError:
                assert len(published) > began, "it lost though nobody had published since it began"
            else:
                assert len(published) == began, "it won though somebody had published since it began"
                published.append(writer.text)
            if published:
                assert held(lake)[0] == published[-1]
    while open_:
        writer, _ = open_.pop()
        try:
            writer.commit()
        except ConflictError:
            continue
        published.append(writer.text)
    assert held(lake)[0] == held(lake)[2] == published[-1]


class TaggedStore(LaxStore):
    """A folder that names bytes by their hash, and whose clock stands still: all happens in one second."""

    def put(self, local: Path, path: str) -> str:
        tag = digest(local.read_bytes().hex())
        super().put(local, path)
        return tag

    def entries(self, prefix: str) -> dict[str, Entry]:
        root = Path(self.root)
        return {
            path: Entry(entry.bytes, 0, digest((root / path).read_bytes().hex()))
            for path, entry in super().entries(prefix).items()
        }


def test_what_changes_in_the_second_of_its_publication_is_told_by_its_tag(tmp_path: Path) -> None:
    lake = Lake(TaggedStore(tmp_path / "home"), tmp_path / "state")
    writer = Writer(lake, "one")
    writer.write()
    writer.commit()
    manifest = lake.manifest(REF)
    assert manifest is not None
    assert lake.damaged(manifest) == []
    for stored in manifest.files:
        path = tmp_path / "home" / REF.prefix / stored.path
        whole = path.read_bytes()
        path.write_bytes(b"eno")
        assert [f.name for f in lake.damaged(manifest)] == [stored.name]
        path.write_bytes(whole)
    next_one = Writer(lake, "two")
    next_one.write()
    next_one.commit()
    adopted = lake.manifest(REF)
    assert adopted is not None
    assert all(f.tag for f in adopted.files), "what was adopted keeps its tag"
    assert lake.damaged(adopted) == []
