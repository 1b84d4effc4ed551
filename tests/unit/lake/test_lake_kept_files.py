"""Files kept up to a number of bytes."""

import os
import shutil
from pathlib import Path

import pytest

from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.locks import hold


def filled(root: Path, limit: float, names: str, size: int = 100) -> KeptFiles:
    """Files used one after the other, the first one longest ago."""
    kept = KeptFiles(root)
    for age, name in enumerate(names):
        kept.keep(root / "some" / name, bytes(size))
        os.utime(root / "some" / name, (age, age))
    return KeptFiles(root, limit)


def there(root: Path) -> str:
    return "".join(sorted(path.name for path in (root / "some").iterdir() if len(path.name) == 1))


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    kept = filled(tmp_path, 250, "abcd")
    assert kept.take(tmp_path / "some" / "a") == bytes(100)
    kept.fit()
    assert there(tmp_path) == "ad"
    assert kept.take(tmp_path / "some" / "b") is None


def test_one_is_spared_and_nothing_goes_within_the_limit(tmp_path: Path) -> None:
    filled(tmp_path, 100, "abc").fit(spared=tmp_path / "some" / "a")
    assert there(tmp_path) == "a"
    KeptFiles(tmp_path, 100).fit()
    assert there(tmp_path) == "a"


def test_room_is_made_while_files_are_added_by_all_who_share_it(tmp_path: Path) -> None:
    one, other = KeptFiles(tmp_path, 1000), KeptFiles(tmp_path, 1000)
    for number in range(100):
        (one, other)[number % 2].keep(tmp_path / f"{number:03d}", bytes(90))
    held = [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    assert sum(path.stat().st_size for path in held) <= 1000 + 2 * 90
    assert (tmp_path / "099").exists()


def test_a_disk_that_is_all_but_full_makes_room_whatever_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage(tmp_path))
    kept = filled(tmp_path, 10_000, "abcd")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(total=10_000, used=9_400, free=600))
    kept.fit()
    assert there(tmp_path) == "abcd"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(total=10_000, used=9_650, free=350))
    kept.fit()
    assert there(tmp_path) == "cd"


def test_what_is_being_read_stays(tmp_path: Path) -> None:
    kept = filled(tmp_path, 100, "abc")
    with hold(tmp_path / "some" / "a.lock", shared=True):
        kept.fit()
        assert there(tmp_path) == "a"
    kept.keep(tmp_path / "some" / "d", bytes(100))
    kept.fit()
    assert there(tmp_path) == "d"


def test_a_companion_tells_the_last_use_and_stays(tmp_path: Path) -> None:
    kept = filled(tmp_path, 100, "ab")
    (tmp_path / "some" / "a.json").write_text("{}")
    kept.use(tmp_path / "some" / "a")
    kept.fit()
    assert there(tmp_path) == "a"
    KeptFiles(tmp_path, 1).fit()
    assert (tmp_path / "some" / "a.json").exists()


@pytest.mark.parametrize(("age", "stays"), [(0.0, True), (2 * 86_400.0, False)])
def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path, age: float, *, stays: bool) -> None:
    kept = filled(tmp_path, 1, "")
    part = tmp_path / "x.part"
    part.write_bytes(bytes(50))
    moment = part.stat().st_mtime - age
    os.utime(part, (moment, moment))
    kept.fit()
    assert part.exists() == stays
