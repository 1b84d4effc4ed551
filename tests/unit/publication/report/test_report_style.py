"""Figures: their colours stay apart for colour-blind readers and in grey, and the same figure has the same bytes."""

import itertools

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from minemap_assets.publication.report.curve_charts import Score, scores_chart, sweep_chart
from minemap_assets.publication.report.series_chart import PANELS, Line, Truth, series_chart
from minemap_assets.publication.report.site_facts import CASING, OUTLINE
from minemap_assets.publication.report.style import GAIN, LOOKS, LOSS, legible

Colours = npt.NDArray[np.float64]

LEAST_LIGHTNESS = 10.0
"""Steps of CIE lightness (0 black, 100 white) between any two series, as a grey print shows them."""

LEAST_DIFFERENCE = 15.0
"""CIE76 difference between any two; about 2.3 is just seen side by side."""

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(colours: list[str]) -> Colours:
    """Hex colours as linear RGB (n, 3)."""
    rgb = np.array([[int(c[i : i + 2], 16) / 255.0 for i in (1, 3, 5)] for c in colours])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: Colours) -> Colours:
    """CIE L*a*b* (D65) of linear RGB."""
    xyz = np.clip(rgb, 0.0, 1.0) @ TO_XYZ.T / (TO_XYZ @ np.ones(3))
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def closest(values: Colours) -> float:
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(values, 2))


@pytest.mark.parametrize("colours", [[look.colour for look in LOOKS], [GAIN, LOSS]], ids=["series", "change"])
def test_colours_stay_apart_in_grey_and_for_colour_blind_readers(colours: list[str]) -> None:
    rgb = linear(colours)
    assert closest(lab(rgb)[:, :1]) >= LEAST_LIGHTNESS
    for name, matrix in BLINDNESS.items():
        assert closest(lab(rgb @ np.array(matrix).T)) >= LEAST_DIFFERENCE, name


def test_colours_that_only_hue_tells_apart_are_found() -> None:
    red_and_green = linear(["#c00000", "#007000"])
    assert closest(lab(red_and_green)[:, :1]) < LEAST_LIGHTNESS
    # what a deuteranope is left with
    assert closest(lab(linear(["#b06000", "#808000"]) @ np.array(BLINDNESS["deuteranopia"]).T)) < LEAST_DIFFERENCE


def test_every_series_is_dark_enough_for_white_paper() -> None:
    assert lab(linear([look.colour for look in LOOKS]))[:, 0].max() < 75.0


def test_series_differ_in_mark_and_line_as_well() -> None:
    assert len({look.mark for look in LOOKS}) == len(LOOKS)
    assert len({str(look.line) for look in LOOKS}) == len(LOOKS)


def test_outlines_on_pictures_are_light_in_dark() -> None:
    light, dark = (linear(["#{:02x}{:02x}{:02x}".format(*colour)]) for colour in (OUTLINE, CASING))
    assert float(lab(light)[0, 0] - lab(dark)[0, 0]) > 60.0


def lines() -> list[Line]:
    values = pd.DataFrame(
        {"area_km2": [1.0, np.nan, 2.0], "polygons": [3.0, np.nan, 4.0], "mean_polygon_km2": [0.3, np.nan, 0.5]},
        index=pd.Index([2016, 2017, 2018]),
    )
    estimate = {"low": {2018: 1.5}, "high": {2018: 2.5}, "estimate": {2018: 2.1}}
    truth = Truth(2016, {"area_km2": 1.2})
    return [Line("first", values, frozenset({2018}), truth, **estimate), Line("_second $x$", values)]


def test_the_same_chart_has_the_same_bytes_and_no_date() -> None:
    one, other = (series_chart(lines(), [2018]) for _ in range(2))
    assert one == other
    assert b"<dc:date>" not in one
    assert b"matplotlib" not in one.lower() or b"Created with" not in one


def test_charts_of_little_are_drawn() -> None:
    single = pd.DataFrame({name: [1.0] for name, _ in PANELS}, index=pd.Index([2019]))
    assert series_chart([Line("one year", single)], []).startswith(b"<?xml")
    assert scores_chart([Score("all", "", 0.5, None, None)], "IoU").startswith(b"<?xml")
    scores = ("threshold", "accuracy", "matthews", "users_accuracy", "false_positive_rate")
    swept = pd.DataFrame({name: [0.5] for name in scores})
    assert sweep_chart(swept, {}, {}).startswith(b"<?xml")


def test_labels_that_a_figure_cannot_write_are_replaced() -> None:
    assert legible("Côte d'Ivoire", "CIV") == "Côte d'Ivoire"
    assert legible("北海", "beihai") == "beihai"
    assert legible("_area", "_area") == " _area"
