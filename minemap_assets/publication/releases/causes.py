"""Why ground is mapped in one state of a project and not in another: what differs in what it was made from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from minemap_assets.publication.releases.lineage import Lineage, Made, partitions_of


class Cause(StrEnum):
    """What a change of mapped ground comes from."""

    IMAGERY = "imagery"
    MODEL = "model"
    GROUND_TRUTH = "ground truth"
    BOUNDARY = "boundary"
    CORRECTIONS = "corrections"
    CODE = "code"
    SMOOTHING = "smoothing"
    UNKNOWN = "not known"


Causes = frozenset[Cause]

_THRESHOLD = frozenset({"polygons.operating_point", "polygons.threshold", "polygons.product_thresholds"})
"""Settings of the threshold, which belongs to the model; those of the masks do as well."""

_NO_GROUND = frozenset({*_THRESHOLD, "polygons.border_tolerance_km", "polygons.preset"})
"""Settings of mining polygons that move no outline by themselves, or do so earlier."""

_RULE = ("polygons.", "first_year", "last_year")
"""How the names of settings begin that are the temporal rule, its window, and what it makes of outlines."""

_NOTHING = Made("", "", {}, {}, {})


@dataclass(frozen=True)
class Upstream:
    """What two states were made from."""

    before: Lineage
    after: Lineage

    def same(self, asset: str, *keys: str) -> bool:
        """Whether a partition holds the same in both."""
        old, new = self._both(asset, *keys)
        return old.content == new.content

    def causes(self, region: str, year: int, sites: Iterable[str]) -> Causes:
        """Why outlines of some sites may differ in a region and year; empty where nothing of theirs does.

        What changed in the year itself, from its imagery to its own outlines, explains more than what changed around
        it: the years around count only where the year's own masks and outlines are the same.
        """
        rules, own = self._rules(region, year), self._outlines(region, year, sites)
        if own:
            return own | rules
        return rules.union(*(self._beside(region, one, sites) for one in self._window(region, year)))

    def site(self, region: str) -> Causes:
        """Why a site of the region may be known in one state only."""
        truth, new_truth = self._both("ground_truth", region)
        sites, new_sites = self._both("sites", region)
        different = _differ(truth.settings, new_truth.settings) | _differ(sites.settings, new_sites.settings)
        outline = {f"regions.{region}"}
        found = _when(Cause.BOUNDARY, bool(different & outline))
        found |= _when(Cause.GROUND_TRUTH, truth.inputs != new_truth.inputs or bool(different - outline))
        return frozenset(found) or frozenset({Cause.GROUND_TRUTH})

    def wider(self, region: str, year: int) -> Causes:
        """What else changed in the region, for ground of which nothing nearer is known."""
        old, new = self._both("mining_polygons", region, str(year))
        corrections = _differ(old.settings, new.settings) & {"mining_polygons.corrections"}
        outline = f"regions.{region}" in _differ(old.settings, new.settings)
        found = _when(Cause.CORRECTIONS, bool(corrections)) | _when(Cause.BOUNDARY, outline)
        if not (self.same("sites", region) and self.same("owned_ground", region)):
            found |= self.site(region)
        return frozenset(found) or frozenset({Cause.UNKNOWN})

    def _window(self, region: str, year: int) -> list[int]:
        """The years around a year that decide about it in either state."""
        read = {name for one in self._both("mining_polygons", region, str(year)) for name in one.inputs}
        years = {
            int(keys[1]) for keys in partitions_of(dict.fromkeys(read, _NOTHING), "raw_masks") if keys[0] == region
        }
        return sorted(years - {year})

    def _beside(self, region: str, year: int, sites: Iterable[str]) -> Causes:
        """Why a year may differ for what changed in another one, `year`: a model or code that is another everywhere
        is the cause here too, anything else comes here through the temporal rule.
        """
        masks = self._both("raw_masks", region, str(year))
        found = self._outlines(region, year, sites)
        everywhere = found & {Cause.MODEL, Cause.CODE} if _NOTHING not in masks else frozenset[Cause]()
        return everywhere | {Cause.SMOOTHING} if found - everywhere else everywhere

    def _outlines(self, region: str, year: int, sites: Iterable[str]) -> Causes:
        """Why the year's own outlines of sites may differ, before any other year is looked at."""
        found = {cause for site in sites for cause in self._mask(region, year, f"{site}.tif")}
        old, new = self._both("raw_polygons", region, str(year))
        if old.content != new.content:
            found |= _when(Cause.CODE, old.code_version != new.code_version)
            found |= _when(Cause.MODEL, bool(_differ(old.settings, new.settings) & _THRESHOLD))
            found |= _when(Cause.MODEL, old.inputs.get("promoted_model") != new.inputs.get("promoted_model"))
        return frozenset(found)

    def _mask(self, region: str, year: int, file: str) -> Causes:
        """Why the mask of a site differs; empty where it is the same."""
        keys = (region, str(year))
        old, new = self._both("raw_masks", *keys)
        if old.items.get(file) == new.items.get(file):
            return frozenset()
        image, new_image = self._both("imagery", *keys)
        chips, new_chips = self._both("chips", *keys)
        seen_anew = image.items.get(file) != new_image.items.get(file)
        found = _when(Cause.IMAGERY, seen_anew)
        found |= _when(Cause.CODE, seen_anew and image.code_version != new_image.code_version)
        found |= _when(Cause.CODE, (old.code_version, chips.code_version) != (new.code_version, new_chips.code_version))
        found |= _when(Cause.MODEL, old.inputs.get("promoted_model") != new.inputs.get("promoted_model"))
        found |= _when(
            Cause.MODEL, bool(_differ(old.settings, new.settings) | _differ(chips.settings, new_chips.settings))
        )
        return frozenset(found)

    def _rules(self, region: str, year: int) -> Causes:
        """What of the rules that make mining polygons of outlines differs."""
        old, new = self._both("mining_polygons", region, str(year))
        different = _differ(old.settings, new.settings) - _NO_GROUND
        found = _when(Cause.SMOOTHING, any(name.startswith(_RULE) for name in different))
        return frozenset(found | _when(Cause.CODE, old.code_version != new.code_version))

    def _both(self, asset: str, *keys: str) -> tuple[Made, Made]:
        name = f"{asset}[{'|'.join(keys)}]"
        return self.before.get(name, _NOTHING), self.after.get(name, _NOTHING)


def told(causes: Causes) -> str:
    """Causes as people read them: `imagery and model`."""
    return " and ".join(cause for cause in Cause if cause in causes)


def _when(cause: Cause, holds: bool) -> set[Cause]:
    return {cause} if holds else set()


def _differ(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Names of settings that are not the same."""
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}
