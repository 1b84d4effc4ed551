"""The open catalogues on one loopback server: `rustac serve` behind a server that misbehaves when told to."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from minemap_assets.imagery.sources.stac.config import Collection, StacConfig
from minemap_assets.imagery.sources.stac.services import Services
from minemap_assets.imagery.sources.stac.source import StacSource
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.net.policy import Clock
from servers.processes import Unreliable, stac_api, unreliable
from stac_world import Shot, truth, write_catalogue, write_scene

GROUND = truth()
HASTY = Clock(sleep=lambda seconds: time.sleep(seconds * 0.01))
"""Waits a hundredth of what it should."""

PLACES = {
    "earth-search/sentinel-2-c1-l2a": "earth-search",
    "planetary-computer/sentinel-2-l2a": "planetary-computer",
    "earth-search/sentinel-2-l2a": "earth-search",
}
"""Which catalogue each collection of the default lies in."""


class World:
    """The three collections of the default, filled by a test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.root = folder / "files"
        self.root.mkdir()
        self.server: Unreliable = stack.enter_context(unreliable(self.root))
        self._stack = stack
        self.collections = tuple(self._moved(c) for c in StacConfig().collections_for("sentinel-2-l2a"))

    def _moved(self, collection: Collection) -> Collection:
        url = self.server.url
        tokens = f"{url}/tokens" if collection.tokens else ""
        return collection.model_copy(update={"endpoint": f"{url}/{PLACES[collection.name]}", "tokens": tokens})

    def files_url(self, number: int) -> str:
        """Where the files of a collection are served."""
        return f"{self.server.url}/{'private' if self.collections[number].tokens else 'files'}"

    def fill(self, *shots: Sequence[Shot], ground: Mapping[str, Any] = GROUND) -> None:
        """Scenes of the first, second and third collection."""
        items = []
        for number, wanted in enumerate(shots):
            collection, url = self.collections[number], self.files_url(number)
            items.append([write_scene(self.root, url, collection, shot, ground) for shot in wanted])
        self.serve(*items)

    def serve(self, *items: Sequence[Mapping[str, Any]]) -> None:
        """Items of the first, second and third collection."""
        files: dict[str, list[Path]] = {name: [] for name in PLACES.values()}
        for number, collection in enumerate(self.collections):
            there = items[number] if number < len(items) else ()
            files[PLACES[collection.name]] += write_catalogue(self.folder / "catalogue", collection, there)
        self.server.set(upstream={name: self._stack.enter_context(stac_api(paths)) for name, paths in files.items()})

    def config(self, **changes: Any) -> StacConfig:
        """The default's settings, but for where the services are and how fast they may be asked."""
        values = {"collections": self.collections, "timeout": 1.0, "rate": 10_000.0, "burst": 100} | changes
        return StacConfig.model_validate(values)

    def source(self, cache: str = "cache", *, limit: float = math.inf, **changes: Any) -> StacSource:
        """A source with a cache of so many bytes below the test's folder."""
        config = self.config(**changes)
        return StacSource("sentinel-2-l2a", config, KeptFiles(self.folder / cache, limit), Services(config, HASTY))

    def asked(self, prefix: str = "/") -> list[dict[str, str]]:
        """Requests for paths that begin so."""
        return [entry for entry in self.server.log() if entry["path"].startswith(prefix)]
