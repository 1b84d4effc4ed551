"""Whether imagery that was fetched could be fetched again: what may be pruned, and what a backup must hold."""

from minemap_assets.errors import BadInputError
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.statement import Asset
from minemap_assets.imagery.basemaps.nicfi import PRODUCT as NICFI
from minemap_assets.imagery.source_kind import kinds_of
from minemap_assets.imagery.sources.archive.kind import ARCHIVE
from minemap_assets.lake.manifests import Manifest
from minemap_assets.project.project import Project
from minemap_assets.simulation.kind import SIMULATED

AT_HAND = frozenset({ARCHIVE.name, SIMULATED.name})
"""Sources that read what the user holds, or compute it: no service has to go on offering it."""

ENDED = frozenset({NICFI})
"""Products that their publisher has stopped making and serving to everybody."""


def fetched_assets(graph: Graph) -> list[Asset]:
    """Assets whose files may not be there to be fetched again."""
    return [asset for asset in graph.assets if asset.fetched]


def why_lasting(project: Project, manifest: Manifest) -> str:
    """Why a partition of imagery could not be fetched again as things stand, in a few words; empty where it could.

    It could where all its sources are still set for its product, and where these hold their images themselves or their
    product has not ended.
    """
    product = str(manifest.summary.get("product", ""))
    sources = {str(name) for name in manifest.summary.get("sources", ())}
    if not product:
        return "it does not say what product it is"
    try:
        now = {kind.name for kind in kinds_of(project, product)}
    except BadInputError:
        return f"no source is set for {product} any more"
    if gone := sorted(sources - now):
        return f"{', '.join(gone)} is set for {product} no more"
    if product in ENDED and (services := sorted(sources - AT_HAND)):
        return f"{product} has ended, and {', '.join(services)} may not serve it again"
    return ""
