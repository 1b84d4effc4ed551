"""`minemap advise`: what more ground truth would help the model most."""

from dagster_project.cli.options import Json
from dagster_project.commands.context import open_session


def advise(as_json: Json = False) -> None:
    """Say what to outline next: how many more sites, of which kind, and where the model is least sure.

    From the scores of the model that was evaluated last, on ground that it was not trained on.
    """
    session = open_session()
    from dagster_project.commands.model_advice import find_advice, show_advice

    found = find_advice(session)
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json(found)
    else:
        show_advice(found)
