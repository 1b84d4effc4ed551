"""Settings of the source `simulated`."""

from pydantic import BaseModel, ConfigDict

NAME = "simulated"


class SimulatedConfig(BaseModel):
    """Which simulated world the source `simulated` renders."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    world: str = "demo"
