"""Which mosaic of a season shows a quad most clearly: decided once for all sites on it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import NotEntitledError
from minemap_assets.imagery.basemaps.clarity import clarity_of_scenes, clearest
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.planet.client import PlanetClient
from minemap_assets.imagery.sources.planet.pictures import Offer, Picture, Pictures, Place
from minemap_assets.imagery.sources.planet.together import Together

Rule = Literal["pixels", "metadata", "auto"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """The clearest picture of a quad, None where there is none to be had; `locked` are those that the account may see
    but not fetch.
    """

    picture: Picture | None
    locked: tuple[Picture, ...] = ()


class Choice:
    """Chooses pictures by a rule (`clarity` in the settings). Safe to use from several threads; raises as
    `PlanetClient` does.
    """

    def __init__(self, pictures: Pictures, client: PlanetClient, rule: Rule, together: Together) -> None:
        self._pictures = pictures
        self._client = client
        self._rule = rule
        self._together = together
        self._made: LoadingCache[tuple[Place, Season], Chosen] = LoadingCache()
        self._scenes_refused = False

    def best(self, place: Place, mosaics: Sequence[Mosaic], season: Season) -> Chosen:
        """The clearest of a season's mosaics in a quad."""
        return self._made.get((place, season), lambda: self._best(place, mosaics))

    def by_scenes(self, pictures: Sequence[Picture]) -> bool:
        """Whether scene metadata tell the clearest mosaic of a quad, so that only that one is fetched. Asks for the
        scenes of the first of these pictures that there is.
        """
        if self._rule == "pixels":
            return False
        there = next((one for one in pictures if self._pictures.offer(one) is Offer.OPEN), None)
        return there is not None and self._shares_of_scenes([there]) is not None

    def _best(self, place: Place, mosaics: Sequence[Mosaic]) -> Chosen:
        asked = [Picture(m, place.quad) for m in mosaics if m.quads == place.quads]
        offers = list(zip(asked, self._together(self._pictures.offer, asked), strict=True))
        locked = tuple(picture for picture, offer in offers if offer is Offer.LOCKED)
        for picture in locked:
            _LOG.warning("the Planet account may see but not download %s, so it is left out", picture)
        there = [picture for picture, offer in offers if offer is Offer.OPEN]
        if not there:
            return Chosen(None, locked)
        shares = self._shares(there) if len(there) > 1 else [Fraction(0)]
        return Chosen(clearest(there, shares), locked)

    def _shares(self, pictures: Sequence[Picture]) -> list[Fraction]:
        """Clarity of pictures of one quad, all by the same rule."""
        if self._rule != "pixels":
            by_scenes = self._shares_of_scenes(pictures)
            if by_scenes is not None:
                return by_scenes
        return [clarity.share for clarity in self._together(self._pictures.clarity, pictures)]

    def _shares_of_scenes(self, pictures: Sequence[Picture]) -> list[Fraction] | None:
        """Clarity by scene metadata; None where some is not to be had and pixels may decide instead."""
        if self._scenes_refused:
            return None
        try:
            scenes = self._together(lambda one: self._client.scenes(one.mosaic, one.quad), pictures)
        except NotEntitledError:
            if self._rule == "metadata":
                raise
            self._scenes_refused = True
            return None
        shares = [clarity_of_scenes(found.properties) for found in scenes]
        for picture, found in zip(pictures, scenes, strict=True):
            if found.retired:
                _LOG.warning("%s was made from scenes of which Planet has no cloud and haze: %s", picture, found.words)
        known = [share for share in shares if share is not None]
        if len(known) == len(shares):
            return known
        if self._rule == "auto":
            return None
        missing = shares.index(None)
        retired = f" (it was made from {scenes[missing].words})" if scenes[missing].retired else ""
        raise NotEntitledError(
            f"Planet shows this account no cloud and haze of the scenes of {pictures[missing]}{retired}; "
            'set clarity to "auto" or "pixels" under [sources.planet_basemaps]'
        )
