"""Which layout a lake has: `lake.json` at its root says it, so that no program takes one lake for another.

A lake of a newer layout is refused before anything is written, by every program that is older. One of an older layout
is refused until `migrate` has brought it to the present one, step by step; the file is written after each, so that a
migration which broke off goes on. A lake without the file has the first layout, and gets the file with the first
partition that is written.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from minemap_assets.errors import StorageError
from minemap_assets.lake.manifests import LAYOUT_VERSION
from minemap_assets.lake.store import Patience, Store, read_if_there

MARKER = "lake.json"

UNMARKED = 1
"""The layout of lakes from before there was the file."""


@dataclass(frozen=True)
class Migration:
    """One step: brings a lake to layout `to` from the one before. It may be called again where it broke off."""

    to: int
    description: str
    apply: Callable[[Store], None]


MIGRATIONS: tuple[Migration, ...] = ()
"""Every step there is, in order. The first layout is still the present one."""


def stated_layout(store: Store) -> int | None:
    """What the file says; None where there is none. Raises `StorageError` where it cannot be read."""
    data = read_if_there(store, MARKER)
    if data is None:
        return None
    try:
        raw = json.loads(data)
        layout = raw["layout"]
        if isinstance(layout, bool) or not isinstance(layout, int) or layout < 0:
            raise ValueError("no layout")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StorageError(
            f"{store.root}/{MARKER}, which says which layout the lake has, cannot be read; restore it, or "
            "remove it where no newer minemap has worked here"
        ) from error
    return int(layout)


def check_layout(store: Store, reads: int = LAYOUT_VERSION) -> int:
    """The layout of a lake, 0 for one without the file. `reads` is the one that this program reads and writes.

    Raises `StorageError` where the file is damaged, a newer minemap wrote the lake, or an older one did and it has to
    be migrated.
    """
    stated = stated_layout(store)
    layout = max(UNMARKED if stated is None else stated, UNMARKED)
    if layout > reads:
        raise StorageError(
            f"the lake at {store.root} was written by a newer minemap (layout {layout}, this one reads up to {reads}); "
            "update minemap"
        )
    if layout < reads and (stated is not None or _holds_anything(store)):
        raise StorageError(
            f"the lake at {store.root} was written by an older minemap (layout {layout}, this one reads {reads}); make "
            "a backup with the older one, and bring the lake up to date with `minemap migrate`"
        )
    return stated or 0


def mark(store: Store, writes: int = LAYOUT_VERSION) -> None:
    """Say in a lake which layout it has, unless it says so. Raises `StorageError` as `check_layout` does."""
    if check_layout(store, writes) < writes:
        _write(store, writes)


def migrate(
    store: Store,
    to: int = LAYOUT_VERSION,
    migrations: Sequence[Migration] = MIGRATIONS,
    told: Callable[[Migration], None] = lambda _: None,
) -> list[Migration]:
    """Bring a lake up to date; returns the steps that were taken, none where it is. `told` hears of each before it.

    Nobody else may work on the lake meanwhile. Raises `StorageError` for a lake that a newer minemap wrote, or from
    whose layout no step leads on, and `BusyError` where another migration goes on.
    """
    with store.writing(), store.claim("migration", Patience()):
        stated = stated_layout(store)
        layout = max(UNMARKED if stated is None else stated, UNMARKED)
        if layout > to:
            check_layout(store, to)
        steps = [step for step in migrations if layout < step.to <= to]
        if [step.to for step in steps] != list(range(layout + 1, to + 1)):
            raise StorageError(
                f"the lake at {store.root} has layout {layout}, from which this minemap knows no way to layout {to}; "
                "update it with a minemap in between first"
            )
        for step in steps:
            told(step)
            step.apply(store)
            _write(store, step.to)
        if not steps and stated is None:
            _write(store, to)
    return steps


def _write(store: Store, layout: int) -> None:
    store.write_bytes(MARKER, json.dumps({"layout": layout}).encode())


def _holds_anything(store: Store) -> bool:
    """Whether a lake without the file is an old one, and not one that is just begun."""
    return any(not path.startswith(".") for path in store.list(""))
