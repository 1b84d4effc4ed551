"""When an asset is made without anybody starting it: one condition, made from what its statement says of its inputs.

The latest year may be a partition before there is imagery of every region. So: every year counts, and not only the
latest; optional inputs that do not exist hold nothing up, but one of them has to exist; and inputs that do not trigger
(a model's promotion, a changed list of sites) ask for nothing: those are decisions. A partition that was kept, or made
again with the same content, asks for nothing either: data versions are compared, not dates.

What gathers several partitions (the years around, all regions of a year, every table) waits until none of them is on
its way, however far up, so that it is made once and from the last of them. What arrives while it is being made asks for
it again: only that it was asked for answers a reason, and not that it came out meanwhile.

A partition whose blocking check fails is not recorded as materialised, so nothing follows from it.
"""

from typing import Any

import dagster as dg
from dagster._core.definitions.declarative_automation.automation_condition import BuiltinAutomationCondition

from minemap_assets.graph.graph import Graph
from minemap_assets.graph.launches import makes_tag
from minemap_assets.graph.partitioning import YEAR
from minemap_assets.graph.statement import Asset, Dep

Condition = dg.AutomationCondition[Any]
Labelled = BuiltinAutomationCondition[Any]
"""A condition that may be given a label, under which the UI shows it."""

BY_AUTOMATION = "dagster/from_automation_condition"
"""Tag that Dagster gives to runs which a condition asked for, and to the runs of a backfill that one asked for."""


def condition(asset: Asset, graph: Graph) -> Condition:
    """The asset's automation condition."""
    terms = dg.AutomationCondition
    eager = terms.eager()
    found: Condition = eager.without(terms.in_latest_time_window()) if YEAR in asset.partitions.names else eager
    missing: Condition = terms.any_deps_missing().ignore(_selection(asset, graph, lambda dep: dep.optional))
    for own in _needed_of_its_own_year(asset, graph):
        missing = missing | own
    found = found.replace("any_deps_updated", _updated(asset, graph)).replace("handled", _handled(asset, graph))
    found = found.replace("any_deps_missing", missing)
    optional = [upstream for dep, upstream in graph.widest(asset) if dep.optional and dep.triggers]
    if optional:
        found &= terms.any_deps_match(~terms.missing()).allow(_keys(optional)).with_label("any_optional_dep_exists")
    coming = _gathered_on_their_way(asset, graph)
    # the last term: it is looked at only for what would be asked for otherwise
    return found if coming is None else found & ~coming


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
    """An input's content is new, or will be, made in one run with the asset."""
    terms = dg.AutomationCondition
    return _new_content(asset, graph, terms.will_be_requested()).with_label("any_deps_updated")


def _new_content(asset: Asset, graph: Graph, beside: Condition | None = None) -> Labelled:
    """An input's content is new, or something `beside` that holds of it.

    Updates by a run that made this asset as well are left out. That is right for the same partition, but the neighbours
    across a window of years were not part of that run: there every new content counts.
    """
    terms = dg.AutomationCondition
    new = terms.data_version_changed()
    elsewhere: Condition = new & ~terms.all_new_updates_have_run_tags(tag_keys={makes_tag(_key(asset))})
    own = elsewhere if beside is None else elsewhere | beside
    near = terms.any_deps_match(own).ignore(_selection(asset, graph, lambda dep: not dep.triggers))
    around = [a for dep, a in graph.upstream(asset) if dep.mapping.reach is not None and dep.triggers]
    return near | terms.any_deps_match(new).allow(_keys(around)) if around else near


def _handled(asset: Asset, graph: Graph) -> Condition:
    """What answers a reason: that automation asked for the partition after it, or that somebody else made it.

    Dagster's own rule takes the partition's next materialisation for the answer. But what automation asked for may have
    begun before the reason arose and come out after it. Whoever runs a graph by hand or as a backfill makes inputs
    first.
    """
    terms = dg.AutomationCondition
    asked = terms.newly_requested() & ~_new_content(asset, graph)
    by_others = terms.newly_updated() & ~terms.any_new_update_has_run_tags(tag_keys={BY_AUTOMATION})
    return (asked | by_others | terms.initial_evaluation()).with_label("handled")


def _gathered_on_their_way(asset: Asset, graph: Graph) -> Condition | None:
    """That one of several partitions of an input which the asset gathers is being made, or is about to be."""
    terms, seen = dg.AutomationCondition, set[Asset]()
    found: Labelled | None = None
    for dep, upstream in _nearest(asset, graph):
        if gathers(dep, upstream, asset):
            coming = terms.asset_matches(_key(upstream), _on_its_way(upstream, graph, seen))
            found = coming if found is None else found | coming
    return None if found is None else found.with_label("inputs_on_their_way")


def gathers(dep: Dep, upstream: Asset, asset: Asset) -> bool:
    """True where one partition reads several of the input."""
    return dep.mapping.reach is not None or bool(set(upstream.partitions.names) - set(asset.partitions.names))


def _on_its_way(asset: Asset, graph: Graph, seen: set[Asset]) -> Condition:
    """That a partition is being made, or will be, because what it is made from in another run is new or on its way.

    What has been `seen` on the way to one input is not looked at again on the way to another. That may ask for a
    partition early, and then once more, but never too late.
    """
    terms = dg.AutomationCondition
    found: Condition = terms.in_progress()
    for dep, upstream in _nearest(asset, graph) if asset.automated else ():
        if upstream not in seen:
            seen.add(upstream)
            coming = _on_its_way(upstream, graph, seen)
            apart = gathers(dep, upstream, asset) or not upstream.automated
            coming = coming | terms.data_version_changed() if apart else coming
            found = found | terms.asset_matches(_key(upstream), coming)
    return found


def _nearest(asset: Asset, graph: Graph) -> list[tuple[Dep, Asset]]:
    """Inputs that trigger, without those that another one of them is made from: these come before it."""
    inputs = [(dep, upstream) for dep, upstream in graph.widest(asset) if dep.triggers]
    above = {upstream: _above(upstream, graph) for _, upstream in inputs}
    return [one for one in inputs if not any(one[1] in found for found in above.values())]


def _above(asset: Asset, graph: Graph) -> set[Asset]:
    """Everything of which a new content makes automation ask for this asset, directly or not."""
    found: set[Asset] = set()
    if asset.automated:
        for dep, upstream in graph.upstream(asset):
            if dep.triggers and upstream not in found:
                found |= {upstream} | _above(upstream, graph)
    return found


def _selection(asset: Asset, graph: Graph, which: Any) -> dg.AssetSelection:
    return _keys([upstream for dep, upstream in graph.widest(asset) if which(dep)])


def _keys(assets: list[Asset]) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(_key(a) for a in assets))


def _key(asset: Asset) -> dg.AssetKey:
    return dg.AssetKey([asset.room, asset.name])
