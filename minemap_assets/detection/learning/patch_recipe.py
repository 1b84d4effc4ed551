"""How a patch classifier of our own is trained, in every detail."""

from dataclasses import dataclass

from minemap_assets.segmentation.recipes import Augmentation, Rotation


@dataclass(frozen=True)
class PatchRecipe(Augmentation):
    """Everything that training depends on besides its chips and its seed.

    Each of `members` networks leaves out its own fold of the places, and draws as many chips as there are from the
    others, some more than once; half of each batch are mines. The first `levels` of the encoder read the patch enlarged
    `enlarge` times. `initial` starts from the installed weights of EfficientNet-Lite0. Steps, rates and the running
    average are as for the segmentation, and so is the augmentation.
    """

    members: int = 6
    steps: int = 600
    batch_size: int = 32
    learning_rate: float = 1e-3
    head_multiplier: float = 5.0
    warmup: int = 30
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    average: float = 0.99
    levels: int = 4
    enlarge: int = 2
    dropout: float = 0.2
    initial: bool = True
    flips: bool = True
    rotation: Rotation = "any"
    scale_low: float = 0.85
    scale_high: float = 1.2
    brightness: float = 0.15
    gain: float = 0.06
    gamma: float = 0.15
    offset: float = 0.0
    noise: float = 0.005
    coarse_share: float = 0.0
