"""When an asset is made without anybody starting it: one condition, made from what its statement says of its inputs.

The latest year may be a partition before there is imagery of every region. So: every year counts, and not only the
latest; optional inputs that do not exist hold nothing up, but one of them has to exist; and inputs that do not trigger
(a model's promotion, a changed list of sites) ask for nothing: those are decisions. A partition that was kept, or made
again with the same content, asks for nothing either: data versions are compared, not dates.

A partition whose blocking check fails is not recorded as materialised, so nothing follows from it.
"""

from typing import Any

import dagster as dg

from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partitioning import YEAR
from minemap_assets.graph.statement import Asset

Condition = dg.AutomationCondition[Any]


def condition(asset: Asset, graph: Graph) -> Condition:
    """The asset's automation condition."""
    terms = dg.AutomationCondition
    eager = terms.eager()
    found: Condition = eager.without(terms.in_latest_time_window()) if YEAR in asset.partitions.names else eager
    missing: Condition = terms.any_deps_missing().ignore(_selection(asset, graph, lambda dep: dep.optional))
    for own in _needed_of_its_own_year(asset, graph):
        missing = missing | own
    found = found.replace("any_deps_updated", _updated(asset, graph)).replace("any_deps_missing", missing)
    optional = [upstream for dep, upstream in graph.widest(asset) if dep.optional and dep.triggers]
    if not optional:
        return found
    return found & terms.any_deps_match(~terms.missing()).allow(_keys(optional)).with_label("any_optional_dep_exists")


def _needed_of_its_own_year(asset: Asset, graph: Graph) -> list[Condition]:
    """For inputs whose own year is needed while the years around are optional: that the former does not exist.

    Dagster knows one mapping between two assets, the wide one. Through an input of the same partitions, which is no
    parent of the one that is asked about, it falls back on equal keys.
    """
    terms = dg.AutomationCondition
    every = list(graph.upstream(asset))
    around = {upstream for dep, upstream in every if dep.optional and dep.mapping.reach is not None}
    both = [upstream for dep, upstream in every if upstream in around and not dep.optional]
    plain = [u for dep, u in every if u not in around and not dep.optional and u.partitions == asset.partitions]
    absent = terms.missing() & ~terms.will_be_requested()
    return [terms.asset_matches(_key(plain[0]), terms.asset_matches(_key(one), absent)) for one in both]


def _updated(asset: Asset, graph: Graph) -> Condition:
    """An input's content is new.

    Dagster leaves out updates by a run that made this asset as well. That is right for the same partition, but the
    neighbours across a window of years were not part of that run: there every new content counts.
    """
    terms = dg.AutomationCondition
    new = terms.data_version_changed()
    elsewhere = (new & ~terms.executed_with_root_target()) | terms.will_be_requested()
    near = terms.any_deps_match(elsewhere).ignore(_selection(asset, graph, lambda dep: not dep.triggers))
    around = [a for dep, a in graph.upstream(asset) if dep.mapping.reach is not None and dep.triggers]
    if not around:
        return near.with_label("any_deps_updated")
    wide = terms.any_deps_match(new).allow(_keys(around))
    return (near | wide).with_label("any_deps_updated")


def _selection(asset: Asset, graph: Graph, which: Any) -> dg.AssetSelection:
    return _keys([upstream for dep, upstream in graph.widest(asset) if which(dep)])


def _keys(assets: list[Asset]) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(_key(a) for a in assets))


def _key(asset: Asset) -> dg.AssetKey:
    return dg.AssetKey([asset.room, asset.name])
