"""Copies of the map's folder: without what may not be passed on, and never over something else."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.publication.map.folder_copy import LEFT_OUT, copy_folder
from minemap_assets.publication.map.site_columns import picture_columns, years_of


@dataclass
class Made:
    """Files of a map, as a partition holds them."""

    folder: Path

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file()))

    def file(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture
def made(tmp_path: Path) -> Any:
    sites = {"id": ["a", "b"], "in_file": 20, **picture_columns([[2018, 2019], [2018]], [[2019], []])}
    files = {
        "index.html": "<!doctype html>",
        "data/map.json": json.dumps({"pictures": {"note": "Small.", "pixels": 128}, "years": [2018, 2019]}),
        "data/sites.json": json.dumps(sites),
        **dict.fromkeys(("pictures/a/2018.webp", "pictures/a/2019.webp", "pictures/b/2018.webp"), "picture"),
    }
    for name, text in files.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Made(tmp_path / "made")


def test_restricted_pictures_stay_here_and_the_copy_says_so(made: Any, tmp_path: Path) -> None:
    copy = copy_folder(made, tmp_path / "out", restricted=False)
    assert (copy.files, copy.left_out) == (5, 1)
    assert not (tmp_path / "out/pictures/a/2019.webp").exists()
    told = json.loads((tmp_path / "out/data/sites.json").read_text())
    assert told["in_file"] == 20
    assert years_of(told, "pictures") == [[2018], [2018]]
    assert years_of(told, "restricted") == [[], []]
    page = json.loads((tmp_path / "out/data/map.json").read_text())
    assert page == {"pictures": {"note": f"Small. {LEFT_OUT}", "pixels": 128}, "years": [2018, 2019]}


def test_with_leave_the_copy_is_whole(made: Any, tmp_path: Path) -> None:
    copy = copy_folder(made, tmp_path / "out", restricted=True)
    assert (copy.files, copy.left_out) == (6, 0)
    assert all((tmp_path / "out" / name).read_bytes() == made.file(name).read_bytes() for name in made.names())


def test_an_earlier_copy_is_replaced_as_a_whole(made: Any, tmp_path: Path) -> None:
    copy_folder(made, tmp_path / "out", restricted=True)
    (tmp_path / "out/pictures/a/1999.webp").write_text("of an earlier map")
    copy_folder(made, tmp_path / "out", restricted=True)
    assert not (tmp_path / "out/pictures/a/1999.webp").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "out"]


def test_nothing_else_is_written_over(made: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("thesis", "file"):
        with pytest.raises(BadInputError, match="is no copy of a map"):
            copy_folder(made, tmp_path / name, restricted=True)
    assert (tmp_path / "thesis/chapter.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert copy_folder(made, tmp_path / "empty", restricted=True).files == 6
