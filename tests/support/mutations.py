"""Mutations as the UI sends them, carried out by a process of their own in a project's environment."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def mutated(mutation: str, params: Mapping[str, Any], module: str, folder: Path, env: Mapping[str, str]) -> Any:
    """Send a mutation whose only variable is `params` and whose answer has one field; its content.

    Raises `AssertionError` where the answer is an error.
    """
    answer = folder / "answer.json"
    words = ["-t", mutation, "-v", json.dumps({"params": params}), "-o", str(answer), "-m", module]
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster-graphql"), *words],
        env=dict(env),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (outcome,) = json.loads(answer.read_text())["data"].values()
    assert outcome["__typename"].endswith("Success"), outcome
    return outcome
