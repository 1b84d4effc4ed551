"""Settings of the source `simulated`."""

from minemap_assets.project.settings import StrictModel

NAME = "simulated"


class SimulatedConfig(StrictModel):
    """Which simulated world the source `simulated` renders."""

    world: str = "demo"
