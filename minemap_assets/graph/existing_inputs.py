"""Reading a partition outside of a run: with those of its inputs that are there."""

from minemap_assets.graph.context import InputContext
from minemap_assets.graph.graph import Graph
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project


def existing_inputs(project: Project, graph: Graph, ref: PartitionRef) -> InputContext:
    """A partition, whether it was made or not, with all its inputs that were made and passed their checks."""
    reads = graph.reads(graph.asset(ref), ref.keys)
    made = {one: project.lake.manifest(one) for one in reads}
    inputs = {
        one: Partition(project.lake.store, manifest)
        for one, manifest in made.items()
        if manifest is not None and not manifest.rejected
    }
    return InputContext(project, ref, inputs, {one: dep.upstream for one, dep in reads.items()})
