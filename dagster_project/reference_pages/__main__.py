"""`python -m dagster_project.reference_pages FOLDER [--lake LAKE]` writes the reference pages.

The data dictionary is written from the finished lake of a small world; without one it stays as it is.
"""

import argparse
from pathlib import Path

from dagster_project.reference_pages.assets import assets_page
from dagster_project.reference_pages.commands import commands_page
from dagster_project.reference_pages.settings import settings_page
from dagster_project.reference_pages.tables import tables_page
from dagster_project.registry import Registry
from minemap_assets.project.project import ProjectHome


def main() -> None:
    """Write every page."""
    parser = argparse.ArgumentParser(prog="python -m dagster_project.reference_pages", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pages go")
    parser.add_argument("--lake", type=Path, help="a finished lake, for the data dictionary")
    words = parser.parse_args()
    registry = Registry()
    parts = registry.parts()
    pages = {
        "assets": assets_page(registry),
        "commands": commands_page(),
        "settings": settings_page(parts.sections),
    }
    if words.lake is not None:
        project = ProjectHome.at(str(words.lake), words.lake.with_name("state"), parts).open()
        pages["tables"] = tables_page(registry.rooms, project)
    words.folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (words.folder / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
