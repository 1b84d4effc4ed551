"""`minemap init`: a settings file to begin with.

What belongs here: when it may be written, and what a person is told. What does not: what stands in it
(`minemap_assets/settings_template.py`).
"""

from dagster_project.cli.advice import say_next_steps
from dagster_project.cli.context import console, open_session
from minemap_assets.errors import BadInputError
from minemap_assets.project.settings import SETTINGS_PATH


def init() -> None:
    """Start a project: write a settings file with every default and what it means, and say the next steps."""
    from minemap_assets.project.settings_template import settings_template

    project = open_session().project
    store = project.lake.store
    if store.size(SETTINGS_PATH) is not None:
        raise BadInputError(f"{store.root}/{SETTINGS_PATH} exists already; edit it, or remove it to start over")
    store.write_bytes(SETTINGS_PATH, settings_template().encode())
    console.print(f"Wrote {store.root}/{SETTINGS_PATH}; every setting in it is the default until you change it.")
    say_next_steps(project)
    console.print("`minemap status` shows how far a project is, `minemap demo` a whole one on simulated images.")
