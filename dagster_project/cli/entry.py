"""The command `minemap` as a shell starts it: Ctrl-C is heard from the first moment, before anything is imported."""

from dagster_project.ending_at_once import ends_at_once


def minemap() -> None:
    """Import the command line and run it."""
    with ends_at_once():
        from dagster_project.cli.main import main
    main()
