"""Checksums of every file of a folder, in the form that `sha256sum --check` reads."""

from pathlib import Path

from minemap_assets.lake.manifests import file_sha256

NAME = "checksums.sha256"


def write_checksums(folder: Path) -> None:
    """Write the checksum of every other file of the folder, in order of their names."""
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    lines = [f"{file_sha256(folder / path)}  {path}\n" for path in paths if path != NAME]
    (folder / NAME).write_text("".join(lines), encoding="utf-8")
