"""Settings of the source `simulated`."""

from minemap_assets.project.settings import StrictModel

NAME = "simulated"


class SimulatedConfig(StrictModel):
    """The source `simulated` renders the built-in world that `world` names."""

    world: str = "demo"
