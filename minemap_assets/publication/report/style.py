"""How the figures look: colours that stay apart for colour-blind readers and in grey, marks that tell them apart as
well, and SVG files that are the same bytes each time.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


@dataclass(frozen=True)
class Look:
    """How one series of a chart is told from the others: colour, line and mark."""

    colour: str
    line: Any
    mark: str


LOOKS: tuple[Look, ...] = (
    Look("#000000", "-", "o"),
    Look("#e69f00", "--", "s"),
    Look("#004a80", "-.", "^"),
    Look("#3fa27c", (0, (1, 1)), "D"),
    Look("#a8400b", (0, (6, 1, 1, 1, 1, 1)), "v"),
)
"""Neighbours differ in lightness by at least a tenth of the whole range, and for every kind of colour blindness."""

GAIN, LOSS = "#004a80", "#e69f00"
"""A dark and a light colour: more and less in grey as well."""

INK, FAINT, GROUND, BREAK = "#1f2937", "#9ca3af", "#e5e7eb", "#6b7280"

MOST = len(LOOKS)
"""Series in one chart; the others stand in the tables."""

WIDTH = 7.0
"""Inches: a page of A4 between its margins."""

_BEYOND_THE_FONT = 0x2E80
"""Characters from here on (Chinese, Japanese, Korean, emoji) are not in the figures' font."""

_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "minemap",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GROUND,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.constrained_layout.use": True,
}


@contextmanager
def drawn(width: float, height: float) -> Iterator["Drawing"]:
    """An empty drawing in inches, in the report's style, whatever this machine's own style is."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Drawing

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield Drawing(figsize=(width, height))


def svg(drawing: "Drawing") -> bytes:
    """The drawing as SVG without a date; to be called inside `drawn`."""
    out = io.BytesIO()
    drawing.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def legible(words: str, instead: str) -> str:
    """Words as a figure may write them: `instead` where the font has no letters for them."""
    chosen = words if all(ord(letter) < _BEYOND_THE_FONT for letter in words) else instead
    # a label that begins so is taken for one to be left out
    return f" {chosen}" if chosen.startswith("_") else chosen
