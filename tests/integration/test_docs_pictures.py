"""The pictures of the README can be drawn again, whatever rooms there are."""

import importlib.util
from pathlib import Path

import pytest

from dagster_project.definitions import build_definitions
from tiny import Chain

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).parents[2] / "docs" / "make_pictures.py"


def test_the_graph_shows_every_room_and_asset(finished: Chain, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_pictures", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    definitions = build_definitions(finished.environment, finished.project_home, finished.registry)
    path = tmp_path / "graph.svg"
    with pictures.mpl.rc_context({"svg.fonttype": "none"}):
        pictures.draw_graph(definitions, path)
    drawn = path.read_text()
    keys = definitions.resolve_asset_graph().toposorted_asset_keys
    assert {room for room in pictures.ROOMS if f">{room}<" not in drawn} == set()
    assert {key.path[-1] for key in keys if f">{key.path[-1].replace('_', ' ')}<" not in drawn} == set()
