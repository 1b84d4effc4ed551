"""The reference page is what the code says of itself now."""

from dagster_project.reference_page import reference_page
from dagster_project.registry import Registry
from house import Project

PAGE = "docs/reference.md"
WRITER = ".venv/bin/python -m dagster_project.reference_page docs/reference.md"


def test_the_reference_page_is_the_one_that_the_code_gives(project: Project) -> None:
    assert project.text(PAGE) == reference_page(Registry()), f"write it again with `{WRITER}`"


def test_every_asset_source_and_settings_section_stands_on_it(project: Project) -> None:
    page, registry = project.text(PAGE), Registry()
    titles = {line.lstrip("# ") for line in page.splitlines() if line.startswith("###")}
    assert {room.name for room in registry.rooms} | {kind.name for kind in registry.sources} <= titles
    assert all(f"`[{section.name}]`" in page for section in registry.parts().sections)


def test_the_docs_are_built_with_a_page_that_was_just_written(project: Project) -> None:
    _, recipe = project.text("Makefile").split("\ndocs: ")
    assert recipe.index(WRITER) < recipe.index("mkdocs build")
