"""How much of its budget a launch has taken, in one small object that all its processes change.

A process takes a lump at a time, so that its requests do not cost one each on the way to the ledger, and gives back
what is left at its end. Lumps get smaller as the budget comes to its end. Nothing is ever asked beyond the budget; a
process that was killed takes the rest of its lump with it, a sixteenth of what was left at most.
"""

import hashlib
import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from minemap_assets.errors import ConflictError, StorageError
from minemap_assets.lake.store import Store

FOLDER = ".usage"

_SHARE = 16
_MOST = {"requests": 100, "planet_downloads": 100, "bytes": 50_000_000}
"""The largest lumps."""

_ATTEMPTS = 50
_PAUSE = 0.02
Taken = dict[str, int]
"""What was taken so far, by the name of the limit."""


class Ledger(Protocol):
    """What is taken of limits by everybody who shares them."""

    def take(self, name: str, least: int, limit: int) -> int:
        """Take `least` or more; 0 where the limit does not allow that, and nothing is taken."""

    def record(self, name: str, amount: int, limit: int, /) -> tuple[int, int]:
        """Take what was used already, whatever the limit, and perhaps more; returns how much, and what is taken now."""

    def taken(self, name: str) -> int:
        """What is taken now."""

    def give_back(self, left: Mapping[str, int]) -> None:
        """What was taken and not used."""


class OwnLedger:
    """Of one process alone."""

    def __init__(self) -> None:
        self._taken: Taken = {}

    def take(self, name: str, least: int, limit: int) -> int:
        """See `Ledger`."""
        if self.taken(name) + least > limit:
            return 0
        return self.record(name, least, limit)[0]

    def record(self, name: str, amount: int, _: int, /) -> tuple[int, int]:
        """See `Ledger`."""
        self._taken[name] = self.taken(name) + amount
        return amount, self._taken[name]

    def taken(self, name: str) -> int:
        """See `Ledger`."""
        return self._taken.get(name, 0)

    def give_back(self, left: Mapping[str, int]) -> None:
        """See `Ledger`."""
        for name, amount in left.items():
            self._taken[name] = self.taken(name) - amount


class LakeLedger:
    """Of all processes, and machines, that work on one lake for one launch."""

    def __init__(self, store: Store, launch: str) -> None:
        self._store = store
        # a launch's name may hold anything
        self.path = f"{FOLDER}/{hashlib.sha256(launch.encode()).hexdigest()[:32]}.json"

    def take(self, name: str, least: int, limit: int) -> int:
        """See `Ledger`."""
        granted = 0

        def taking(taken: Taken) -> Taken:
            nonlocal granted
            room = limit - taken.get(name, 0)
            granted = _lump(name, least, room) if room >= least else 0
            return taken | {name: taken.get(name, 0) + granted}

        self._change(taking)
        return granted

    def record(self, name: str, amount: int, limit: int, /) -> tuple[int, int]:
        """See `Ledger`."""
        granted = total = 0

        def recording(taken: Taken) -> Taken:
            nonlocal granted, total
            granted = _lump(name, amount, limit - taken.get(name, 0))
            total = taken.get(name, 0) + granted
            return taken | {name: total}

        self._change(recording)
        return granted, total

    def taken(self, name: str) -> int:
        """See `Ledger`."""
        found = self._store.read_tagged(self.path)
        return 0 if found is None else self._parse(found.data).get(name, 0)

    def give_back(self, left: Mapping[str, int]) -> None:
        """See `Ledger`."""
        if any(left.values()):
            self._change(lambda taken: taken | {name: taken.get(name, 0) - amount for name, amount in left.items()})

    def _change(self, change: Callable[[Taken], Taken]) -> None:
        """Write what `change` makes of the ledger, which is asked again as often as another process was faster."""
        for attempt in range(_ATTEMPTS):
            found = self._store.read_tagged(self.path)
            before = {} if found is None else self._parse(found.data)
            after = change(before)
            if after == before:
                return
            data = json.dumps(after, sort_keys=True).encode()
            try:
                self._store.write_if(self.path, data, None if found is None else found.tag)
                return
            except ConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0, _PAUSE * (attempt + 1)))

    def _parse(self, data: bytes) -> Taken:
        try:
            return {str(name): int(amount) for name, amount in json.loads(data).items()}
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise StorageError(
                f"{self._store.root}/{self.path}, which says what a run has used of [imagery.budget], cannot be read; "
                "remove it to begin counting anew"
            ) from error


def _lump(name: str, least: int, room: int) -> int:
    return max(least, min(_MOST[name], room // _SHARE))
