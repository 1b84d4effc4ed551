"""The reference pages are what the code says of itself now."""

from collections.abc import Callable

import pytest
from pydantic import BaseModel, Field

from dagster_project.reference_pages.assets import assets_page
from dagster_project.reference_pages.commands import commands_page, every_command
from dagster_project.reference_pages.settings import meaning, settings_page
from dagster_project.registry import Registry
from house import Project
from minemap_assets.project.settings import Section, StrictModel, file_model

FOLDER = "docs/reference"
WRITER = "dagster_project.reference_pages docs/reference"

PAGES: dict[str, Callable[[], str]] = {
    "assets": lambda: assets_page(Registry()),
    "commands": commands_page,
    "settings": lambda: settings_page(Registry().parts().sections),
}


@pytest.fixture(scope="module")
def project() -> Project:
    return Project()


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_the_one_that_the_code_gives(project: Project, name: str) -> None:
    written = project.text(f"{FOLDER}/{name}.md")
    assert written == PAGES[name](), "write it again with `make docs`"


def test_every_asset_source_and_settings_section_stands_on_the_page_of_assets(project: Project) -> None:
    page, registry = project.text(f"{FOLDER}/assets.md"), Registry()
    titles = {line.lstrip("# ") for line in page.splitlines() if line.startswith("###")}
    assert {room.name for room in registry.rooms} | {kind.name for kind in registry.sources} <= titles
    assert all(f"`[{section.name}]`" in page for section in registry.parts().sections)


def test_the_docs_are_built_with_pages_that_were_just_written(project: Project) -> None:
    _, recipe = project.text("Makefile").split("\ndocs: ")
    assert recipe.index(WRITER) < recipe.index("mkdocs build")


def settings_of(model: BaseModel, name: str = "") -> list[tuple[str, str, type[BaseModel]]]:
    """Every setting: its section, its name in the file, and the class it belongs to."""
    found = []
    for key, value in model:
        if isinstance(value, BaseModel):
            found += settings_of(value, f"{name}.{key}".strip("."))
        else:
            found.append((name, type(model).model_fields[key].alias or key, type(model)))
    return found


def test_every_setting_has_a_meaning_and_a_row() -> None:
    sections = Registry().parts().sections
    page, known = settings_page(sections), settings_of(file_model(sections)())
    assert len(known) > 100
    assert not [f"[{section}] {name}" for section, name, model in known if not meaning(name, model)]
    for section, name, _ in known:
        block = page.split(f"## `[{section}]`\n" if section else "## Top of the file\n")[1].split("\n## ")[0]
        assert f"\n| `{name}` | " in block, (section, name)


class Entry(StrictModel):
    """The entry `called` so."""

    called: str


class Invented(StrictModel):
    """What all of it is for.

    `depth` is how deep; `share` of it is | seen.
    """

    depth: int = Field(3, ge=0, le=9)
    share: float | None = Field(None, gt=0.0)
    entries: tuple[Entry, ...] = ()


def test_a_settings_row_says_type_limits_default_and_meaning() -> None:
    page = settings_page([Section("invented", Invented)])
    assert "## `[invented]`\n\nWhat all of it is for.\n" in page
    assert "| `depth` | whole number, at least 0, at most 9 | `3` | `depth` is how deep. |" in page
    assert "| `share` | number, above 0 | not set | `share` of it is \\| seen. |" in page
    assert "| `entries` | list of: table (Entry) | `[]` |  |" in page
    assert "### Entries of `[invented]`: Entry\n" in page
    assert "| `called` | text | has to be given | The entry `called` so. |" in page


def test_every_command_stands_on_the_page_with_a_sentence_for_each_of_its_options() -> None:
    page, commands = commands_page(), list(every_command())
    assert {("run",), ("init",), ("archive", "index"), ("inputs", "restore")} <= {words for words, _ in commands}
    for words, command in commands:
        heading = f"{'#' * (len(words) + 1)} minemap {' '.join(words)}\n"
        assert heading in page
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"minemap {' '.join(words)}: {parameter.name} has no help"


def test_a_command_says_its_arguments_and_the_forms_of_its_options() -> None:
    page = commands_page()
    block = page.split("### minemap regions add\n")[1].split("\n### ")[0]
    assert "minemap regions add SLUG FILE [OPTIONS]" in block
    assert "| `SLUG` | has to be given |" in block
    assert "| `--product` TEXT (may be repeated) |" in block
    assert "| `--replace` |  |" in block
    assert "| `--world` `demo` or `tiny` or `frontier` | `demo` |" in page
    assert "| `--ask` or `--no-ask` | `--ask` |" in page
