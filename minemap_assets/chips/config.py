"""Settings of the chips room: the size and overlap of chips, their bands, and how training ground is split."""

from pydantic import Field, model_validator

from minemap_assets.project.settings import LARGEST_SEED, StrictModel


class ChipsConfig(StrictModel):
    """`size` and `overlap` are pixels of the site grid and even, so that coarser pixels nest; `bands` are common names
    (a product without a near-infrared band works when `nir` is left out). `validation_share` and `test_share` are
    shares of the split groups, which `seed` deals out: ground that overlaps stays in one of train, validation and
    test.
    """

    size: int = Field(512, ge=32, le=4096)
    overlap: int = Field(64, ge=0, le=2048)
    bands: tuple[str, ...] = ("blue", "green", "red", "nir")
    validation_share: float = Field(0.15, ge=0.0, le=0.5)
    test_share: float = Field(0.15, ge=0.0, le=0.4)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)

    @model_validator(mode="after")
    def _consistent(self) -> "ChipsConfig":
        if self.size % 32:
            raise ValueError(f"size must be a multiple of 32 (the model halves it five times), not {self.size}")
        if self.overlap % 2 or self.overlap > self.size // 2:
            raise ValueError(f"overlap must be even and at most half of size, not {self.overlap}")
        if self.validation_share + self.test_share > 0.6:
            raise ValueError("validation_share and test_share together leave too little to train on; 0.6 is the most")
        if not self.bands or len(set(self.bands)) != len(self.bands):
            raise ValueError("bands must name at least one band, each once")
        return self
