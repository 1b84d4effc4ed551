"""What reading some grids would fetch, told before any pixel is fetched.

Blocks weigh what the heads of some scenes' files say; scenes without such a head are taken to be like those of the same
tile. The heads are kept, so that reading does not ask for them again. How clouds lie in a scene only its classes tell,
so every scene is expected to show something of a site; what clouds hide wholly is not fetched in the end. Files that
are fetched whole weigh what the items or the first byte of some of them say.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TypeVar

from odc.geo.geobox import GeoBox

from minemap_assets.errors import NotFoundError
from minemap_assets.imagery.files.cog_layout import Block
from minemap_assets.imagery.files.tiff_directories import UnreadableError
from minemap_assets.imagery.files.warping import Window, source_window
from minemap_assets.imagery.sources.stac.blocks import BlockCache, Header, RemoteFile
from minemap_assets.imagery.sources.stac.cloud_masks import masks_of
from minemap_assets.imagery.sources.stac.config import StacConfig
from minemap_assets.imagery.sources.stac.offsets import needs_pixels
from minemap_assets.imagery.sources.stac.scene_files import SceneFiles
from minemap_assets.imagery.sources.stac.scenes import Scene, SceneKey

_WEIGHED = 3
"""Files of a band that are asked how large they are."""

MOST_HEADS = 60
"""Heads asked for in one forecast, of at most 32 KB each."""

_Group = tuple[str, str]
"""Collection and tile: files of one band lie on the same ground."""

T = TypeVar("T")


@dataclass(frozen=True)
class Load:
    """Requests and bytes; shares of them where they are expectations."""

    requests: float = 0.0
    size: float = 0.0

    def __add__(self, other: "Load") -> "Load":
        return Load(self.requests + other.requests, self.size + other.size)

    def __mul__(self, share: float) -> "Load":
        return Load(self.requests * share, self.size * share)


@dataclass(frozen=True)
class Use:
    """A scene, and the numbers of the grids that it would be read for, in their order."""

    scene: Scene
    grids: tuple[int, ...]

    @property
    def group(self) -> _Group:
        """Collection and tile."""
        return self.scene.collection.name, self.scene.tile


@dataclass
class Forecaster:
    """Counts what some bands of scenes would need for grids. Not for several threads."""

    cache: BlockCache
    files: SceneFiles
    config: StacConfig
    grids: Sequence[GeoBox]
    bands: tuple[str, ...]
    _grounds: dict[tuple[_Group, int], GeoBox] = field(default_factory=dict)
    _usual: dict[tuple[_Group, str, tuple[int, ...]], Load] = field(default_factory=dict)

    def load(self, selected: Sequence[Sequence[Scene]]) -> Load:
        """What reading needs besides searches, from the scenes selected for each grid. Asks for heads; raises as
        `Client.request` does.
        """
        every = _by_scene(selected)
        whole = [use.scene for use in every if use.scene.collection.files != "cog"]
        uses = [use for use in every if use.scene.collection.files == "cog"]
        return self._blocks_of(uses) + self._whole(whole)

    def _whole(self, scenes: Sequence[Scene]) -> Load:
        """Files that are fetched whole, each once however many grids it shows; those of a band weigh about the same."""
        total = Load()
        for key in sorted({key for scene in scenes for key in self._keys(scene)}):
            holding = [scene for scene in scenes if key in scene.item.assets]
            sizes = [self._size(scene, key) for scene in holding[:: max(1, len(holding) // _WEIGHED)][:_WEIGHED]]
            known = [size for size in sizes if size is not None]
            total += Load(len(holding), len(holding) * sum(known) / max(1, len(known)))
        return total

    def _size(self, scene: Scene, key: str) -> int | None:
        """Bytes of a file, as its item states them or its storage does; None where it is not there."""
        stated = scene.item.assets[key].extra_fields.get("file:size")
        if isinstance(stated, int):
            return stated
        remote = self.files.remote(scene, key)
        try:
            return remote.client.get_range(remote.url, 0, 1).total
        except NotFoundError:
            return None

    def _blocks_of(self, uses: Sequence[Use]) -> Load:
        groups: defaultdict[_Group, list[Use]] = defaultdict(list)
        for use in uses:
            groups[use.group].append(use)
        samples = {group: self._sampled(chosen) for group, chosen in self._choice(groups).items()}
        known = [use for use in uses if samples.get(use.group)]
        total = _sum(self._scene(use, samples[use.group]) for use in known)
        grids = sum(len(use.grids) for use in known)
        others = sum(len(use.grids) for use in uses) - grids
        return total * (1.0 + others / grids) if grids else total

    def _choice(self, groups: Mapping[_Group, list[Use]]) -> dict[_Group, list[Scene]]:
        """Scenes whose heads are asked for: spread over tiles by turns, and in each from clear to cloudy."""
        left = max(1, MOST_HEADS // (len(self.bands) + 1))
        places = sorted(groups, key=lambda group: (-sum(len(use.grids) for use in groups[group]), group))
        shares = dict.fromkeys(places, 0)
        while left and (open_places := [p for p in places if shares[p] < len(groups[p])]):
            for place in open_places[:left]:
                shares[place] += 1
                left -= 1
        chosen = {}
        for place, share in shares.items():
            scenes = sorted((use.scene for use in groups[place]), key=lambda s: (s.cloud_cover, s.id))
            chosen[place] = [scenes[(2 * n + 1) * len(scenes) // (2 * share)] for n in range(share)]
        return chosen

    def _sampled(self, scenes: Sequence[Scene]) -> list[dict[str, Header]]:
        """Headers by asset key, of scenes that have them all."""
        tasks = [(scene, key) for scene in scenes for key in self._keys(scene)]

        def ask(task: tuple[Scene, str]) -> Header | None:
            try:
                return self.cache.header(self._remote(*task)) if task[1] in task[0].item.assets else None
            except (NotFoundError, UnreadableError):  # reading leaves such a scene out, too
                return None

        with ThreadPoolExecutor(max_workers=self.config.concurrency) as pool:
            found = dict(zip(((s.key, k) for s, k in tasks), pool.map(ask, tasks), strict=True))
        samples = []
        for scene in scenes:
            headers = {key: found[scene.key, key] for key in self._keys(scene)}
            whole = {key: header for key, header in headers.items() if header is not None}
            if len(whole) == len(headers):
                samples.append(whole)
        return samples

    def _scene(self, use: Use, samples: Sequence[Mapping[str, Header]]) -> Load:
        """One scene: its masks for every grid, and its bands."""
        need = _sum(self._file(use.scene, key, use.grids, samples) for key in self._keys(use.scene))
        if needs_pixels(use.scene):
            bands = [use.scene.collection.assets.bands[band] for band in self.bands]
            need += _mean([_sum(_coarsest(sample[key]) for key in bands) for sample in samples])
        return need

    def _file(self, scene: Scene, key: str, grids: Sequence[int], samples: Sequence[Mapping[str, Header]]) -> Load:
        """One file: by its own head where that is kept, else as the mean of others' would have it."""
        if key not in scene.item.assets:
            return Load()
        remote = self._remote(scene, key)
        own = self.cache.kept_header(remote)
        use = Use(scene, tuple(grids))
        if own is not None:
            header = own
            return self._blocks(use, own, lambda block: self.cache.has(remote, header, block))
        like = (use.group, key, use.grids)
        if like not in self._usual:
            heads = [Load(len(s[key].requests), sum(s[key].requests)) for s in samples]
            bodies = [self._blocks(use, s[key], lambda _: False) for s in samples]
            self._usual[like] = _mean([head + body for head, body in zip(heads, bodies, strict=True)])
        return self._usual[like]

    def _blocks(self, use: Use, header: Header, is_kept: Callable[[Block], bool]) -> Load:
        """Blocks of a file that its grids need, each once."""
        level = header.layout.levels[0]
        here: set[Block] = set()
        load = Load()
        for grid in use.grids:
            window = self._window(use, header, grid)
            blocks = level.blocks(*window.slices) if window is not None else ()
            for span in level.spans([block for block in blocks if block not in here and not is_kept(block)]):
                here.update(span)
                load += _one(span)
        return load

    def _window(self, use: Use, header: Header, grid: int) -> Window | None:
        """Files of a tile that have as many pixels show the same ground."""
        ground = self._grounds.setdefault((use.group, header.layout.levels[0].width), header.layout.ground)
        return source_window(ground, self.grids[grid])

    def _keys(self, scene: Scene) -> list[str]:
        masks = [mask.key for mask in masks_of(scene.collection, self.config)]
        return [*(scene.collection.assets.bands[band] for band in self.bands), *masks]

    def _remote(self, scene: Scene, key: str) -> RemoteFile:
        return self.files.remote(scene, key)


def _by_scene(selected: Iterable[Sequence[Scene]]) -> list[Use]:
    """Scenes with the grids that they were selected for, in order of their first use."""
    grids: defaultdict[SceneKey, list[int]] = defaultdict(list)
    scenes: dict[SceneKey, Scene] = {}
    for number, found in enumerate(selected):
        for scene in found:
            scenes[scene.key] = scene
            grids[scene.key].append(number)
    return [Use(scene, tuple(grids[key])) for key, scene in scenes.items()]


def _coarsest(header: Header) -> Load:
    """The whole of a file's coarsest level."""
    level = header.layout.levels[-1]
    return _sum(_one(span) for span in level.spans(level.everything()))


def _one(span: Sequence[Block]) -> Load:
    return Load(1, span[-1].end - span[0].offset)


def _sum(loads: Iterable[Load]) -> Load:
    return reduce(add, loads, Load())


def _mean(loads: Sequence[Load]) -> Load:
    return _sum(loads) * (1.0 / len(loads))
