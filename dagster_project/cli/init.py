"""`minemap init`: a settings file to begin with."""

from dagster_project.cli.advice import say_next_steps
from dagster_project.cli.context import console, open_session
from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.project.settings import SETTINGS_PATH


def init() -> None:
    """Start a project: write a settings file with every default and what it means, and say the next steps."""
    from minemap_assets.project.settings_template import settings_template

    session = open_session()
    store = session.home.lake.store

    def edit(data: bytes | None) -> bytes:
        if data is not None:
            raise BadInputError(f"{store.root}/{SETTINGS_PATH} exists already; edit it, or remove it to start over")
        return settings_template(session.home.parts.sections).encode()

    Inputs(store).change(SETTINGS_PATH, edit)
    console.print(f"Wrote {store.root}/{SETTINGS_PATH}; every setting in it is the default until you change it.")
    say_next_steps(session)
    console.print("`minemap status` shows how far a project is, `minemap demo` a whole one on simulated images.")
