"""Checksums of every file of a folder, in the form that `sha256sum --check` reads."""

from pathlib import Path

from minemap_assets.lake.manifests import file_sha256

NAME = "checksums.sha256"


def write_checksums(folder: Path) -> None:
    """Write the checksum of every other file of the folder, in order of their names."""
    lines = [f"{file_sha256(folder / path)}  {path}\n" for path in _files(folder)]
    (folder / NAME).write_text("".join(lines), encoding="utf-8")


def changed_files(folder: Path) -> list[str]:
    """Files of a folder that are not what its checksums say, in order of their names; all where it has none."""
    listed = folder / NAME
    text = listed.read_text(encoding="utf-8", errors="replace") if listed.is_file() else ""
    known = {path: checksum for checksum, _, path in (line.partition("  ") for line in text.splitlines())}
    return [path for path in _files(folder) if path not in known or file_sha256(folder / path) != known[path]]


def _files(folder: Path) -> list[str]:
    """Every file but the checksums themselves; a link counts as a file."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(name for path in paths if (name := path.relative_to(folder).as_posix()) != NAME)
