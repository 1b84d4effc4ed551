"""The sources of one product in the order in which they may stand in for each other, asked for one grid at a time."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from minemap_assets.errors import AuthenticationError, NotFoundError, PermanentError, QuotaError
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite, ImagerySource
from minemap_assets.net.policy import StopSignal

PATIENCE = 3
"""Refusals of the account in a row after which a source is not asked again by this run."""


@dataclass(frozen=True, order=True)
class PassedOver:
    """A source that was asked first and did not give the pixels, and why."""

    source: str
    reason: str


@dataclass(frozen=True, eq=False)
class Sourced:
    """A composite, and the sources that were passed over before it was found."""

    composite: Composite
    passed_over: tuple[PassedOver, ...]


class SourceChain:
    """Reads a grid from the first source that can serve it. Safe to use from several threads."""

    def __init__(
        self, sources: Sequence[ImagerySource], season: Season, bands: tuple[str, ...], min_clear_fraction: float
    ) -> None:
        self._sources = tuple(sources)
        self._season = season
        self._bands = bands
        self._minimum = min_clear_fraction
        self._stop = StopSignal()
        self._lock = threading.Lock()
        self._refusals: Counter[int] = Counter()
        self._refused: dict[int, AuthenticationError | QuotaError] = {}

    def read(self, grid: GeoBox) -> Sourced:
        """The first composite that is clear enough, else the clearest one.

        Raises `NotCoveredError` or its parent, with every source's reason, where none has pixels; any other error of
        a source at once, so that a failed request never changes where a site's pixels come from.
        """
        passed: list[PassedOver] = []
        best: tuple[int, Composite] | None = None
        for position, source in enumerate(self._sources):
            try:
                composite = self._ask(position, grid)
            except NotFoundError as error:
                passed.append(PassedOver(source.name, str(error)))
                continue
            if not composite.pixels[0].any():
                passed.append(PassedOver(source.name, "every pixel is cloudy or missing"))
                continue
            if best is None or composite.clear_fraction > best[1].clear_fraction:
                best = (len(passed), composite)
            if composite.clear_fraction >= self._minimum:
                break
            passed.append(PassedOver(source.name, f"less than {self._minimum:.0%} of the pixels are clear"))
        if best is None:
            raise NotFoundError("; ".join(f"{p.source}: {p.reason}" for p in passed))
        place, composite = best
        return Sourced(composite, tuple(p for i, p in enumerate(passed) if i != place))

    def stop(self) -> None:
        """Have the sources send nothing more: reads fail with `StoppedError` from now on, those under way soon."""
        self._stop.set()
        for source in self._sources:
            source.stop()

    def _ask(self, position: int, grid: GeoBox) -> Composite:
        self._stop.check()
        with self._lock:
            if position in self._refused:
                raise self._refused[position]
        source = self._sources[position]
        try:
            composite = source.read(grid, self._season, self._bands)
        except (AuthenticationError, QuotaError) as error:
            with self._lock:
                self._refusals[position] += 1
                if self._refusals[position] >= PATIENCE:
                    self._refused[position] = error
            raise
        with self._lock:
            self._refusals[position] = 0
        _check(composite, source, grid, self._bands)
        return composite


def _check(composite: Composite, source: ImagerySource, grid: GeoBox, bands: tuple[str, ...]) -> None:
    """Hold a source to the contract, so that a fault in it names it. Raises `PermanentError`."""
    pixels, count = composite.pixels, composite.clear_count
    observed = pixels[0] > 0
    complaints = (
        (composite.grid != grid, "another grid than was asked for"),
        (tuple(composite.bands) != bands, f"bands {', '.join(composite.bands)} for {', '.join(bands)}"),
        (pixels.dtype != np.uint16 or count.dtype != np.uint16, "pixels that are not uint16"),
        (pixels.shape != (len(bands), *grid.shape) or count.shape != tuple(grid.shape), "arrays of the wrong shape"),
        (bool(((pixels > 0) != observed).any()), "pixels observed in some bands only"),
        (count.shape == observed.shape and bool(((count > 0) != observed).any()), "clear counts that do not match"),
        (composite.provenance.product != source.product, f"product {composite.provenance.product}"),
    )
    for wrong, what in complaints:
        if wrong:
            raise PermanentError(f"the source {source.name} returned {what}; this is a fault in the source's code")
