"""The file that goes to the people who label a sample's points, and the same file as it comes back.

Columns: `sample`, `point_id`, `longitude`, `latitude`, `start_year`, `start_label`, `end_year`, `end_label`,
`interpreter`, `confidence` (high, medium, low or empty), `note`. A label is `mine` or `not mine` (1 or 0 will do), and
empty for a point that is not labelled. The file says nothing of maps or strata: who labels must not know them.
"""

from collections import Counter
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.reference.points import read_label
from minemap_assets.reference.polygon_sets import text_of
from minemap_assets.validation.sample_files import Confidence, PointLabel, SampleDesign

MOVED_METRES = 10.0
"""How far a point may be from where it was drawn: formats round."""

_DEGREE_METRES = 111_320.0
_CONFIDENCE: dict[str, Confidence] = {"": "", "high": "high", "medium": "medium", "low": "low"}


def check_label_path(path: Path) -> None:
    """Whether a file to be labelled can be written there. Raises `BadInputError`."""
    if path.suffix.lower() not in (".csv", ".geojson"):
        raise BadInputError(f"{path} is neither a .csv nor a .geojson file; name one of these with --out")
    if path.exists():
        raise BadInputError(f"{path} exists, and may hold labels; give another name with --out")
    if not path.absolute().parent.is_dir():
        raise BadInputError(f"{path.absolute().parent} is no folder; make it, or give another name with --out")


def write_label_file(design: SampleDesign, path: Path) -> None:
    """Write the file to be labelled, as CSV or GeoJSON by its name. Raises `BadInputError` where it exists."""
    check_label_path(path)
    frame = pd.DataFrame(
        {
            "sample": design.name,
            "point_id": [p.point_id for p in design.points],
            "longitude": [p.longitude for p in design.points],
            "latitude": [p.latitude for p in design.points],
            "start_year": design.start_year,
            "start_label": "",
            "end_year": design.end_year,
            "end_label": "",
            "interpreter": "",
            "confidence": "",
            "note": "",
        }
    )
    if design.single:
        frame = frame.drop(columns=["end_year", "end_label"])
    if path.suffix.lower() == ".csv":
        frame.to_csv(path, index=False)
    else:
        places = gpd.points_from_xy(frame["longitude"], frame["latitude"])
        gpd.GeoDataFrame(frame, geometry=places, crs=WGS84).to_file(path, driver="GeoJSON")


def sample_of(path: Path) -> str:
    """The sample that a file of labels belongs to. Raises `BadInputError` where it does not say one."""
    frame = read_vector(path)
    if "sample" not in frame.columns:
        raise BadInputError(f"{path} has no column sample; give the file that `minemap sample draw` wrote, with labels")
    names = sorted({text_of(value) for value in frame["sample"]})
    if len(names) != 1:
        raise BadInputError(f"{path} holds points of the samples {', '.join(names)}; give a file for each")
    return names[0]


def read_label_file(path: Path, design: SampleDesign) -> tuple[PointLabel, ...]:
    """Labels of a file, of points that have one. Raises `BadInputError` for what is not of this sample or not a label.

    Points that are not of the sample, twice there, or not where they were drawn are refused.
    """
    frame = read_vector(path)
    wanted = ["point_id", "start_label", *([] if design.single else ["end_label"])]
    lacking = [name for name in wanted if name not in frame.columns]
    if lacking:
        raise BadInputError(f"{path} has no column {', '.join(lacking)}; keep those that `minemap sample draw` wrote")
    ids = [text_of(value) for value in frame["point_id"]]
    _check_points(path, ids, frame, design)
    labels = []
    for row, point in enumerate(ids):
        start = read_label(frame["start_label"].iloc[row], point)
        end = start if design.single else read_label(frame["end_label"].iloc[row], point)
        if start is None and end is None:
            continue
        labels.append(
            PointLabel(
                point_id=point,
                start=start,
                end=end,
                interpreter=_text(frame, "interpreter", row),
                confidence=_confidence(_text(frame, "confidence", row), point),
                note=_text(frame, "note", row),
            )
        )
    if not labels:
        raise BadInputError(f"{path} holds no label; fill in start_label and end_label with `mine` or `not mine`")
    return tuple(labels)


def _check_points(path: Path, ids: list[str], frame: gpd.GeoDataFrame, design: SampleDesign) -> None:
    known = {p.point_id: p for p in design.points}
    unknown = [point for point in ids if point not in known]
    if unknown:
        raise BadInputError(f"{path} holds the point {unknown[0]!r}, which the sample {design.name} does not have")
    twice = sorted(point for point, rows in Counter(ids).items() if rows > 1)
    if twice:
        raise BadInputError(f"{path} holds the point {twice[0]} more than once; keep one row of it")
    drawn = np.array([(known[point].longitude, known[point].latitude) for point in ids])
    places = np.column_stack([frame.geometry.x, frame.geometry.y])
    off = (places - drawn) * _DEGREE_METRES
    off[:, 0] *= np.cos(np.radians(drawn[:, 1]))
    far = np.hypot(*off.T)
    if (far > MOVED_METRES).any():
        worst = int(np.argmax(far))
        raise BadInputError(
            f"{path} has the point {ids[worst]} {far[worst]:,.0f} m from where it was drawn, outside what its stratum "
            "stands for; give its label at the place of the sample"
        )


def _text(frame: pd.DataFrame, column: str, row: int) -> str:
    return text_of(frame[column].iloc[row]) if column in frame.columns else ""


def _confidence(text: str, point: str) -> Confidence:
    if text.lower() not in _CONFIDENCE:
        raise BadInputError(f"point {point} has the confidence {text!r}; use high, medium, low or nothing")
    return _CONFIDENCE[text.lower()]
