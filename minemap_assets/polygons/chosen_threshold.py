"""Which threshold outlines a mask: the stored probabilities answer for any, without a GPU and without fetching."""

from dataclasses import dataclass, field

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.messages import suggestion
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.segmentation.artefact import ModelCard, ProductCard
from minemap_assets.segmentation.operating_points import computed_point, is_computed


@dataclass(frozen=True)
class ThresholdRule:
    """The threshold of every mask, as `[polygons]` asks for it.

    `card` is that of the model in use, None where there is none to be read, and `version` its hash; empty, masks are
    taken to be made with it.
    """

    config: PolygonsConfig
    card: ModelCard | None
    version: str = ""
    _computed: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    def of(self, product: str, stored_point: str, stored_threshold: float, model_version: str = "") -> float:
        """The threshold (0 to 1) of a mask that tells for which operating point and by which model it was made.

        The first of these that is given: the number for the product, the number for all, the mask's own threshold where
        it was made for the operating point that is asked for, the model's one of that name, and the one that
        `recall>=R` or an F score means on the model's held-out ground. Raises `BadInputError` where none is.
        """
        asked = self.config.operating_point
        if product in self.config.product_thresholds:
            return self.config.product_thresholds[product]
        if self.config.threshold is not None:
            return self.config.threshold
        if stored_point == asked:
            return float(stored_threshold)
        about = self._about(product, stored_point, model_version)
        if asked in about.operating_points:
            return about.operating_points[asked]
        if not is_computed(asked):
            raise BadInputError(
                f"{_differs(stored_point, asked)}, which the model does not have; give one of its own "
                f"({', '.join(sorted(about.operating_points))}), one such as `recall>=0.9` or `f2`, or a threshold"
            )
        if product not in self._computed:
            self._computed[product] = _computed(asked, product, about)
        return self._computed[product]

    def _about(self, product: str, stored_point: str, model_version: str) -> ProductCard:
        """What the model knows of a product. Raises `BadInputError` where that says nothing of these masks."""
        asked = self.config.operating_point
        silent = "operating_point" not in self.config.model_fields_set
        if self.card is None or product not in self.card.products or silent:
            raise BadInputError(
                f"{_differs(stored_point, asked)}; set the same in [segmentation] and [polygons], or give a threshold"
            )
        if self.version and model_version and model_version != self.version:
            raise BadInputError(
                f"the operating point {asked!r} is one of model {self.version[:12]}, which is in use, and masks of "
                f"{product} were made with {model_version[:12]}; make them again with `minemap run --select "
                "raw_masks`, or give a threshold"
            )
        return self.card.products[product]


def chosen_thresholds(card: ModelCard | None, config: PolygonsConfig, version: str = "") -> ThresholdRule:
    """The rule by which masks are outlined; `card` and `version` are those of the model in use, where there is one.

    Raises `BadInputError` for a number that is given for a product which there is not.
    """
    for name in config.product_thresholds:
        if name not in PRODUCTS:
            raise BadInputError(
                f"[polygons.product_thresholds] names the product {name!r}{suggestion(name, PRODUCTS)}; the products "
                f"are {', '.join(sorted(PRODUCTS))}"
            )
    return ThresholdRule(config, card, version)


def _computed(asked: str, product: str, about: ProductCard) -> float:
    if about.held_out is None:
        raise BadInputError(
            f"the operating point {asked!r} needs counts of held-out pixels of {product}, which the model in use does "
            "not have; train again and promote that model, or give a threshold"
        )
    try:
        return computed_point(asked, about.held_out.histogram)
    except BadInputError as error:
        raise BadInputError(f"[polygons] operating_point {asked!r} for {product}: {error}") from error


def _differs(stored_point: str, asked: str) -> str:
    return f"the masks were made for the operating point {stored_point!r}, polygons ask for {asked!r}"
