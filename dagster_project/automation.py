"""When assets are asked for without anybody asking.

What belongs here: one automation condition an asset, applied where the code location is assembled. What does not: the
outside world (`sensors.py`), which alone asks for imagery.

The running year's partition is open, and exists before any of its imagery does. Three rules follow:
yearly assets leave the latest window out; assets over several years or regions do not wait for what is missing; and
retraining or promoting a model, or adding a site, asks for no prediction by itself: those are decisions.

A partition whose blocking check fails is not recorded as materialised (`io_managers.py`), so nothing follows from it.
"""

from typing import Any

import dagster as dg

Condition = dg.AutomationCondition[Any]


def _assets(*names: tuple[str, str]) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(dg.AssetKey(list(name)) for name in names))


def _eager() -> Condition:
    return dg.AutomationCondition.eager()


def _every_year() -> Condition:
    """Eager for closed years. Plain `eager` asks for the latest window only, which is the open year."""
    return dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window())


def _unmoved_by(condition: Condition, *names: tuple[str, str]) -> Condition:
    """An update of these upstream assets asks for nothing."""
    updated = dg.AutomationCondition.any_deps_updated().ignore(_assets(*names))
    return condition.replace("any_deps_updated", updated)


def _without_waiting_for(condition: Condition, *names: tuple[str, str]) -> Condition:
    """Partitions of these upstream assets that do not exist yet hold nothing up."""
    missing = dg.AutomationCondition.any_deps_missing().ignore(_assets(*names))
    return condition.replace("any_deps_missing", missing)


SITES = ("sites", "sites")
PROMOTED = ("segmentation", "promoted_model")
RAW_MASKS = ("segmentation", "raw_masks")
MINING = ("polygons", "mining_polygons")
IMAGERY = ("imagery", "imagery")
YEARLY_TABLES = tuple(
    ("tables", name) for name in ("polygons", "site_panel", "country_summary", "region_summary", "imagery_clarity")
)


def conditions() -> dict[dg.AssetKey, Condition]:
    """The condition of every asset that has one; imagery, training and promotion have none."""
    yearly = _unmoved_by(_every_year(), SITES, PROMOTED)
    tables = _without_waiting_for(_unmoved_by(_every_year(), SITES), MINING, IMAGERY, SITES)
    named: dict[tuple[str, str], Condition] = {
        ("reference", "country_boundaries"): _eager(),
        ("sites", "ground_truth"): _eager(),
        SITES: _eager(),
        ("chips", "chips"): yearly,
        ("chips", "training_chips"): _unmoved_by(_eager(), SITES),
        RAW_MASKS: yearly,
        ("segmentation", "reference_masks"): _unmoved_by(_eager(), SITES, PROMOTED),
        ("polygons", "raw_polygons"): yearly,
        MINING: _without_waiting_for(yearly, RAW_MASKS),
        **dict.fromkeys(YEARLY_TABLES, tables),
        ("validation", "reference_validation"): _without_waiting_for(_eager(), ("tables", "polygons")),
        ("validation", "source_continuity"): _without_waiting_for(_eager(), ("segmentation", "reference_masks")),
        ("tables", "database"): _without_waiting_for(_eager(), *YEARLY_TABLES),
    }
    return {dg.AssetKey(list(name)): condition for name, condition in named.items()}


def automate(assets: list[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets with their conditions."""
    by_key = conditions()

    def with_condition(spec: dg.AssetSpec) -> dg.AssetSpec:
        condition = by_key.get(spec.key)
        return spec if condition is None else spec.replace_attributes(automation_condition=condition)

    return [a for a in dg.map_asset_specs(with_condition, assets) if isinstance(a, dg.AssetsDefinition)]
