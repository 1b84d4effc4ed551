"""Where answers lie: a file for each annotator of a task, changed one answer at a time, so that nothing is ever lost.

`inputs/labelling/<task>/annotators/<name>.json` holds what one person said, `adjudication.json` beside the folder what
was decided where people differ. A change is read, edited and put back only where nobody wrote meanwhile: two open pages
do not lose each other's answers. A version is kept of what a sitting began and ended with, not of every key.
"""

import hashlib
import json
import random
import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TypeVar

from pydantic import ValidationError

from minemap_assets.errors import BadInputError, ConflictError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store, read_if_there
from minemap_assets.project.settings import StrictModel
from minemap_assets.publication.labelling.answers import Answers
from minemap_assets.publication.labelling.tasks import FOLDER

LONGEST_NAME = 60
"""Characters of an annotator's name."""

_NAME = re.compile(r"[\w][\w .,'@()+-]*")
_PATIENCE, _LONGEST_PAUSE = 60.0, 0.05
"""Seconds of trying again while another page writes, and the longest pause between."""

T = TypeVar("T", bound=StrictModel)


def annotator_name(text: str) -> str:
    """A name as it will stand with every label. Raises `BadInputError` for one that no file could be named after."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise BadInputError(
            f"--annotator: {text!r} is no name that labels can carry; use letters, digits, spaces and . , ' @ ( ) + - "
            f"(at most {LONGEST_NAME})"
        )
    return name


def annotator_path(task: str, annotator: str) -> str:
    """Where the answers of a person lie; names that differ have files that differ."""
    plain = unicodedata.normalize("NFKD", annotator).encode("ascii", "ignore").decode().lower()
    slug = "-".join(re.findall(r"[a-z0-9]+", plain))
    if slug != annotator:
        slug = f"{slug or 'annotator'}-{hashlib.sha256(annotator.encode()).hexdigest()[:6]}"
    return f"{_annotators(task)}/{slug}.json"


def adjudication_path(task: str) -> str:
    """Where the decisions on points lie on which people differ."""
    return f"{FOLDER}/{task}/adjudication.json"


def _annotators(task: str) -> str:
    return f"{FOLDER}/{task}/annotators"


def read_answers(store: Store, path: str, annotator: str) -> Answers:
    """What a person said; nothing yet where there is no file. Raises `BadInputError` where it is damaged or lost."""
    data = Inputs(store).read(path)
    return Answers(annotator=annotator) if data is None else parsed(store, path, Answers, data)


def all_answers(store: Store, task: str) -> tuple[Answers, ...]:
    """What each annotator said who answered something, by the names of their files."""
    paths = [path for path in store.entries(_annotators(task)) if PurePosixPath(path).suffix == ".json"]
    read = (parsed(store, path, Answers, store.read_bytes(path)) for path in sorted(paths))
    return tuple(one for one in read if one.given)


def adjudicated(store: Store, task: str) -> Answers | None:
    """What was decided on points on which people differ; None before anybody began with that."""
    data = read_if_there(store, adjudication_path(task))
    return None if data is None else parsed(store, adjudication_path(task), Answers, data)


def change_answers(store: Store, path: str, annotator: str, edit: Callable[[Answers], Answers]) -> Answers:
    """Change what a person said; returns what stands once it is stored. Raises `ConflictError` after a minute in which
    others did not stop writing.
    """

    def edited(data: bytes | None) -> bytes | None:
        before = Answers(annotator=annotator) if data is None else parsed(store, path, Answers, data)
        after = edit(before)
        return data if after == before else written(after)

    data = exchange(store, path, edited)
    return Answers(annotator=annotator) if data is None else parsed(store, path, Answers, data)


def exchange(store: Store, path: str, edit: Callable[[bytes | None], bytes | None]) -> bytes | None:
    """Put what `edit` makes of an object in its place, unless somebody wrote meanwhile: then it is called again.

    The same bytes, or None, write nothing. Returns what stands there.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        found = store.read_tagged(path)
        before = None if found is None else found.data
        after = edit(before)
        if after is None or after == before:
            return before
        try:
            store.write_if(path, after, None if found is None else found.tag)
        except ConflictError:
            if time.monotonic() > end:
                raise
            time.sleep(random.uniform(0.0, _LONGEST_PAUSE))
        else:
            return after


def keep_versions(store: Store, paths: tuple[str, ...]) -> None:
    """Keep a version of what these inputs are now; those that are kept already, or not there, cost nothing."""
    found: Mapping[str, bytes | None] = {path: read_if_there(store, path) for path in paths}
    Inputs(store).record({path: data for path, data in found.items() if data is not None})


def parsed(store: Store, path: str, model: type[T], data: bytes) -> T:
    """An input of a known form. Raises `BadInputError` where it is damaged."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise BadInputError(
            f"{store.root}/{path} cannot be read; bring an earlier version back with `minemap inputs restore`"
        ) from error


def written(model: StrictModel) -> bytes:
    """An input as it is stored: the same bytes for the same values."""
    return f"{json.dumps(model.model_dump(mode='json'), indent=1, sort_keys=True, ensure_ascii=False)}\n".encode()
