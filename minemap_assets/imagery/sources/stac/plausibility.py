"""Whether what a scene shows can be ground: catalogues hold files whose headers, sizes and checksums are right, and
whose numbers are not.

Known of public archives: bands whose numbers lie near 64,000, as if an offset had been taken off below zero (Earth
Search, issue 78; such numbers are no observation), and images smeared into streaks or a blur (Planetary Computer,
issues 291 and 312). Here all of a scene's clear pixels on a site are looked at. What water, snow, deserts, burnt forest
and deep shadow look like must pass, so a wrong offset is noticed only where the ground is dark enough to tell.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from minemap_assets.imagery.products import SCALE

FEWEST = 400
"""Pixels (4 hectares) of a band; fewer say nothing."""

_VISIBLE = ("coastal", "blue", "green", "red")
_FINE = ("blue", "green", "red", "nir")
"""Bands sensed with 10 m pixels."""

_NOTHING = 10
"""Stored numbers up to this are no light at all: a reflectance of 0.001, or below 0 and stored as 1."""

_MOST = 0.5
"""Share of the pixels that makes the scene."""

_WHOLE = 0.95
_LIT = 800
"""Ground that reflects so much in one visible band (0.08) reflects something in the others, too; water need not in
infrared.
"""

_GLARE = 16_000
"""Reflectance 1.6: fresh snow has 1.0, and what is brighter on slopes or wet ground are single pixels."""

_RAISED = (900.0, 1200.0)
"""Where the darkest pixels of water, forest and shadow lie with 1000 too much: at reflectances of -0.01 to 0.02."""

_DARK = 0.5
"""Percentile that stands for a band's dark pixels; a minimum would be a single bad one."""

_RAISED_BANDS = 3
"""Bands whose dark pixels must lie there: one or two do so over bright soil or in haze."""

_ENOUGH = 40_000
"""Pixels (4 square kilometres) below which a site need hold neither dark ground nor sharp edges: of real squares of
1 square kilometre one in a thousand does not.
"""

_RUN = 12
"""Rows or columns that repeat the one before, one after another: 20 m pixels on a grid of 10 m repeat at most once."""

_COARSE = ("coastal", "nir09", "cirrus")
"""Bands with 60 m pixels, too smooth on a finer grid for rows to be compared."""

_ACROSS = 48
"""Pixels that two rows or columns must have in common to be compared."""

_GLANCED = 32
"""Pixels of a line that are compared before the others are."""

_LINES = 128
"""Lines in which differences are measured."""

_NEAR, _FAR = 2, 16
_CRISP = 0.18
"""Difference between pixels 20 m apart by that of pixels 160 m apart: a ramp has 0.125 and blurred pictures little
more; of 10 m bands of real mines, towns, fields, water and cloud none had less than 0.29.
"""

_TEXTURE = 60.0
"""Mean difference (0.006) over 160 m below which there is nothing that could be blurred, but instrument noise."""

Pixels = npt.NDArray[np.uint16]


def implausible(bands: Mapping[str, Pixels], *, surface: bool = True) -> str | None:
    """Why a scene's clear pixels cannot be ground, None where they can.

    `bands` by common name: (row, column), reflectance x 10,000 with the offset applied, 0 = missing or hidden, the same
    grid of 10 m for all; `surface` is False for reflectance at the top of the atmosphere, which air makes bright in the
    visible bands.
    """
    seen = {band: pixels[pixels > 0] for band, pixels in bands.items()}
    seen = {band: values for band, values in seen.items() if values.size >= FEWEST}
    whole = {band: bands[band] for band in seen}
    return _empty(seen) or _glaring(seen) or _raised(seen, surface) or _smeared(whole) or _blurred(whole)


def _empty(seen: Mapping[str, Pixels]) -> str | None:
    """Visible bands without light: dark files, or an offset taken off twice. Water and shadow are dark in some only."""
    shares = {band: float(np.mean(seen[band] <= _NOTHING)) for band in _VISIBLE if band in seen}
    if len(shares) < 2:
        return None
    if min(shares.values()) >= _MOST:
        least = min(shares.values())
        return f"{', '.join(shares)} show no light in {least:.0%} of the pixels: dark, or an offset taken off twice"
    lit = any(np.median(seen[band]) >= _LIT for band in shares)
    dark = [band for band, share in shares.items() if share >= _WHOLE]
    return f"{', '.join(dark)} shows no light where other bands do" if lit and dark else None


def _glaring(seen: Mapping[str, Pixels]) -> str | None:
    for band, values in seen.items():
        share = float(np.mean(values >= _GLARE))
        if share >= _MOST:
            return f"{band} is brighter than snow in {share:.0%} of the pixels: saturated or corrupt"
    return None


def _raised(seen: Mapping[str, Pixels], surface: bool) -> str | None:
    """Darkest pixels near 0.1 in several bands, and none below: an offset that was not taken off."""
    dark = {band: float(np.percentile(values, _DARK)) for band, values in seen.items() if values.size >= _ENOUGH}
    low = [band for band, value in dark.items() if value <= _RAISED[1]]
    telling = surface or any(band not in _VISIBLE for band in low)
    if telling and len(low) >= _RAISED_BANDS and min(dark.values()) >= _RAISED[0]:
        least = min(dark.values()) / SCALE
        return f"the darkest pixels of {', '.join(low)} are at {least:.2f}: an offset not taken off"
    return None


def _smeared(bands: Mapping[str, Pixels]) -> str | None:
    for band, pixels in bands.items():
        if band in _COARSE:
            continue
        for lines, name in ((pixels, "row"), (pixels.T, "column")):
            run = _longest_run(_repeats(lines))
            if run >= _RUN:
                return f"{band} repeats one {name} {run} times: smeared"
    return None


def _repeats(lines: Pixels) -> npt.NDArray[np.bool_]:
    """For each line but the first, whether it repeats the one before; lines of a single number are not looked at."""
    found = np.zeros(len(lines) - 1, dtype=np.bool_)
    # few lines are alike at a glance, and only those are looked at closely
    glance = lines[:, :: max(1, lines.shape[1] // _GLANCED)]
    for place in np.flatnonzero(_alike(glance[:-1], glance[1:]).all(axis=1)).tolist():
        before, after = lines[place], lines[place + 1]
        both = (before > 0) & (after > 0)
        if np.count_nonzero(both) >= _ACROSS and int(np.ptp(after[both])) > 2:
            found[place] = bool(_alike(before, after).all())
    return found


def _alike(before: Pixels, after: Pixels) -> npt.NDArray[np.bool_]:
    """Where numbers differ by 1 at most, or one of them is missing."""
    apart = np.abs(after.astype(np.int32) - before)
    return np.asarray((apart <= 1) | (before == 0) | (after == 0), dtype=np.bool_)


def _longest_run(flags: npt.NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _blurred(bands: Mapping[str, Pixels]) -> str | None:
    for band in _FINE:
        pixels = bands.get(band)
        if pixels is not None and np.count_nonzero(pixels) >= _ENOUGH:
            near, far = (_difference(pixels, lag) for lag in (_NEAR, _FAR))
            if far >= _TEXTURE and near < _CRISP * far:
                return f"{band} holds nothing finer than some 100 m: blurred"
    return None


def _difference(pixels: Pixels, lag: int) -> float:
    """Mean difference of pixels so many rows or columns apart, of every few lines; 0 where there are none."""
    total, count = 0.0, 0
    for lines in (pixels, pixels.T):
        some = lines[:, :: max(1, lines.shape[1] // _LINES)]
        one, other = some[:-lag], some[lag:]
        both = (one > 0) & (other > 0)
        total += float(np.abs(one.astype(np.int32) - other)[both].sum())
        count += int(np.count_nonzero(both))
    return total / count if count else 0.0
