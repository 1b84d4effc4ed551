"""What experiments came to, kept in a file so that a run which was stopped goes on, and told as a table."""

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """Faults of one kind in one place: how many were tried, noticed and healed, and a sentence for each loss."""

    kind: str
    place: str
    tried: int
    noticed: int
    healed: int
    losses: tuple[str, ...] = ()


class Tally:
    """Outcomes of experiments by name; with a file, those of an earlier run too."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.done: dict[str, tuple[Outcome, ...]] = {}
        if file is not None and file.exists():
            for line in file.read_text().splitlines():
                raw = json.loads(line)
                outcomes = [Outcome(**{**one, "losses": tuple(one["losses"])}) for one in raw["outcomes"]]
                self.done[raw["name"]] = tuple(outcomes)

    def add(self, name: str, outcomes: Iterable[Outcome]) -> None:
        """Take down what an experiment came to."""
        with self._lock:
            self.done[name] = tuple(outcomes)
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("a") as handle:
                    handle.write(
                        json.dumps({"name": name, "outcomes": [asdict(one) for one in self.done[name]]}) + "\n"
                    )

    @property
    def losses(self) -> list[str]:
        """Every loss, with the experiment that it happened in."""
        return [f"{name}: {loss}" for name, all_ in self.done.items() for one in all_ for loss in one.losses]

    def tried(self, start: str) -> int:
        """Faults tried in experiments whose names begin so."""
        return sum(one.tried for name, all_ in self.done.items() if name.startswith(start) for one in all_)

    def table(self) -> str:
        """Markdown: a line for each kind of fault and place, and one for all of them."""
        sums: dict[tuple[str, str], list[int]] = {}
        for outcomes in self.done.values():
            for one in outcomes:
                line = sums.setdefault((one.kind, one.place), [0, 0, 0, 0])
                for n, value in enumerate((one.tried, one.noticed, one.healed, len(one.losses))):
                    line[n] += value
        lines = ["| fault | place | tried | noticed | healed | losses |", "|---|---|---:|---:|---:|---:|"]
        lines += [
            f"| {kind} | {place} | {' | '.join(map(str, line))} |" for (kind, place), line in sorted(sums.items())
        ]
        total = [sum(line[n] for line in sums.values()) for n in range(4)]
        return "\n".join([*lines, f"| all | | {' | '.join(map(str, total))} |"])
