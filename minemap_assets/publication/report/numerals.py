"""How numbers read in the report: the only place that turns one into text. What is missing is said, and never zero."""

import math
from collections.abc import Callable
from typing import Any

NOT_OBSERVED = "not observed"
"""Stands for an area of ground that nobody saw."""

NONE = "none"
"""Stands for a number that there is none of, such as an interval from too few places."""

MINUS, SPACE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"

Form = Callable[[Any], str]
"""Text of a value that is there."""


def is_missing(value: object) -> bool:
    """Whether a value of a table is null: None, NaN or pandas' NA."""
    if value is None or isinstance(value, str | bool | list | tuple):
        return value is None
    return math.isnan(value) if isinstance(value, float) else type(value).__name__ in ("NAType", "NaTType")


def shown(value: object, form: Form, missing: str = NOT_OBSERVED) -> str:
    """A value as text, or the word for its absence."""
    return missing if is_missing(value) else form(value)


def text(value: object) -> str:
    """Words as they are."""
    return str(value)


def count(value: float) -> str:
    """A whole number: `12,345`."""
    return _signed(f"{int(value):,}")


def area(value: float) -> str:
    """Square kilometres without their unit: three decimals below 1, two below 100, one below 1,000, none above.

    An area below half a square metre's thousandth part of a square kilometre is `< 0.001` and not zero.
    """
    size = abs(float(value))
    if 0.0 < size < 0.0005:
        return f"<{SPACE}0.001" if value > 0 else f">{SPACE}{MINUS}0.001"
    decimals = 0 if size == 0.0 else 3 if size < 0.9995 else 2 if size < 99.995 else 1 if size < 999.95 else 0
    return _signed(f"{float(value):,.{decimals}f}")


def change(value: float) -> str:
    """A difference of areas with its sign."""
    written = area(value)
    return f"+{written}" if float(value) >= 0.0005 else written


def square_km(value: float) -> str:
    """An area with its unit."""
    return f"{area(value)}{SPACE}km²"


def share(value: float) -> str:
    """A share, 0 to 1, in per cent with one decimal; what is not whole never reads as 0 or 100."""
    part = 100.0 * float(value)
    if 0.0 < part < 0.05:
        return f"<{SPACE}0.1{SPACE}%"
    if 99.95 <= part < 100.0:
        return f">{SPACE}99.9{SPACE}%"
    return f"{part:.1f}{SPACE}%"


def score(value: float) -> str:
    """A score such as an IoU, three decimals."""
    return _signed(f"{float(value):.3f}")


def ratio(value: float) -> str:
    """A ratio, two decimals."""
    return _signed(f"{float(value):.2f}")


def probability(value: float) -> str:
    """A threshold or posterior, three decimals; one that is not whole never reads as 0 or 1."""
    if 0.0 < float(value) < 0.0005:
        return f"<{SPACE}0.001"
    if 0.9995 <= float(value) < 1.0:
        return f">{SPACE}0.999"
    return f"{float(value):.3f}"


def degrees(value: float) -> str:
    """Decimal degrees, five decimals: about a metre."""
    return _signed(f"{float(value):.5f}")


def latitude(value: float) -> str:
    """Decimal degrees north or south."""
    return f"{abs(float(value)):.5f}° {'S' if value < 0.0 else 'N'}"


def longitude(value: float) -> str:
    """Decimal degrees east or west."""
    return f"{abs(float(value)):.5f}° {'W' if value < 0.0 else 'E'}"


def sentence(words: str) -> str:
    """Words as a sentence of their own."""
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}" if words else ""


def clarity(value: float) -> str:
    """A clear share, 0 to 1, as the paper's table S2 gives it: per cent with two decimals, no sign."""
    return f"{100.0 * float(value):.2f}"


def interval(low: object, high: object, form: Form, missing: str = NONE) -> str:
    """`low to high`, or the word for none."""
    if is_missing(low) or is_missing(high):
        return missing
    return f"{form(low)} to {form(high)}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 site`, `2 sites`; `plural` is that of a noun which does not take an s."""
    return f"{number:,}{SPACE}{noun if number == 1 else plural or f'{noun}s'}"


def listed(words: list[str], most: int = 12) -> str:
    """Words after each other, with how many are left out."""
    left = len(words) - most
    return ", ".join(words[:most]) + (f" and {left:,} more" if left > 0 else "")


def _signed(written: str) -> str:
    return written.replace("-", MINUS)


def as_number(value: object) -> float | None:
    """A value for machines; None where it is missing or no number."""
    if is_missing(value) or isinstance(value, str):
        return None
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) else None
