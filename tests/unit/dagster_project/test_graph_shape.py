"""What is part of the loaded graph is noticed when it changes, and the code server loads it again."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, cast

import pytest

from dagster_project import ui_services
from dagster_project.environment import Environment
from dagster_project.graph_shape import graph_shape
from dagster_project.registry import home_of
from dagster_project.ui_services import _Loaded
from graphs import assembled, with_running_year
from minemap_assets.errors import BadInputError
from minemap_assets.project.settings import SETTINGS_PATH


def test_what_is_loaded_differs_with_years_mappings_and_assets(tmp_path: Path) -> None:
    assembled(tmp_path)
    home = home_of(Environment(home=str(tmp_path / "lake"), state=tmp_path / "state"))

    def shape(begun: bool = False, settings: str = "") -> Hashable:
        home.lake.store.write_bytes(SETTINGS_PATH, settings.encode())
        registry = with_running_year(begun)
        return graph_shape(
            home_of(Environment(home=str(tmp_path / "lake"), state=tmp_path / "state"), registry), registry
        )

    assert shape() == shape()
    changed = [shape(begun=True), shape(settings="first_year = 2020"), shape(settings="[polygons]\nwindow = 1")]
    assert len({shape(), *changed}) == 4


class Server:
    """Counts how often it was told to load again."""

    def __init__(self) -> None:
        self.reloads = 0

    def reload_code(self, timeout: int) -> None:
        assert timeout < ui_services.SILENCE_SECONDS
        self.reloads += 1


def test_it_is_loaded_again_once_for_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui_services, "SHAPE_SECONDS", 0.0)
    server, now = Server(), ["a"]

    def shape() -> Hashable:
        if now[0] == "broken":
            raise BadInputError("somebody is just writing the settings")
        return now[0]

    loaded = _Loaded(cast("Any", server), shape)
    reloads = []
    for now[0] in ("a", "b", "b", "broken", "b", "c"):
        loaded.renew()
        reloads.append(server.reloads)
    assert reloads == [0, 1, 1, 1, 1, 2]


def test_it_is_not_looked_at_every_moment() -> None:
    asked: list[int] = []
    loaded = _Loaded(cast("Any", Server()), lambda: asked.append(1))
    loaded.renew()
    assert len(asked) == 1
