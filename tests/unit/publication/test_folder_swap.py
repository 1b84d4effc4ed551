"""A folder is swapped in whole: whatever stops it leaves the earlier one as it was, and nothing beside it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from minemap_assets.publication.folder_swap import copy_file, put_folder


def files(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def page(words: str, *others: str) -> Callable[[Path], None]:
    def write(new: Path) -> None:
        for name in ("page.html", *others):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(words)

    return write


@pytest.fixture
def made(tmp_path: Path) -> Path:
    put_folder(tmp_path / "deep" / "out", page("first", "sites/a.html"))
    return tmp_path / "deep" / "out"


def test_a_new_folder_takes_the_place_of_the_earlier_one(made: Path) -> None:
    assert files(made) == {"page.html": "first", "sites/a.html": "first"}
    put_folder(made, page("second"))
    assert files(made) == {"page.html": "second"}
    assert [path.name for path in made.parent.iterdir()] == ["out"]


def test_a_stop_while_it_is_written_leaves_the_earlier_one(made: Path) -> None:
    def stopped(new: Path) -> None:
        (new / "page.html").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_folder(made, stopped)
    assert files(made) == {"page.html": "first", "sites/a.html": "first"}
    assert [path.name for path in made.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("mounted", [False, True])
def test_a_swap_that_fails_half_way_gives_back_what_was_there(
    made: Path, monkeypatch: pytest.MonkeyPatch, mounted: bool
) -> None:
    rename, put = Path.rename, []

    def failing(self: Path, target: Path) -> Path:
        if "new" in self.parts[-2:]:
            put.append(self)
            raise OSError(5, "the disk went away")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    monkeypatch.setattr(Path, "is_mount", lambda _: mounted)
    with pytest.raises(OSError, match="went away"):
        put_folder(made, page("second", "tables/b.csv"))
    assert put
    assert files(made) == {"page.html": "first", "sites/a.html": "first"}


def test_a_mounted_folder_is_filled_where_it_is(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda _: True)
    place = made.stat().st_ino
    put_folder(made, page("second", "tables/b.csv"))
    assert files(made) == {"page.html": "second", "tables/b.csv": "second"}
    assert made.stat().st_ino == place
    assert sorted(path.name for path in made.iterdir()) == ["page.html", "tables"]


def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(made: Path, tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to(made, target_is_directory=True)
    put_folder(link, page("second"))
    assert link.is_symlink()
    assert files(made) == {"page.html": "second"}


def test_a_file_is_copied_under_its_whole_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    copy_file(tmp_path / "a", tmp_path / "out", "sites/b.html")
    assert files(tmp_path / "out") == {"sites/b.html": "x"}
