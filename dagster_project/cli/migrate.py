"""`minemap migrate`: bring a lake that an older minemap wrote up to date."""

from dagster_project.commands.context import console


def migrate() -> None:
    """Bring the lake to the layout of this minemap, after an upgrade; nothing else may run meanwhile."""
    from dagster_project.environment import read_environment
    from dagster_project.registry import home_of
    from minemap_assets.lake.lake_version import Migration
    from minemap_assets.lake.lake_version import migrate as bring_up_to_date
    from minemap_assets.lake.manifests import LAYOUT_VERSION

    lake = home_of(read_environment()).lake

    def told(step: Migration) -> None:
        console.print(f"layout {step.to}: {step.description}", soft_wrap=True)

    steps = bring_up_to_date(lake.store, told=told)
    done = "is now up to date" if steps else "is up to date"
    console.print(f"The lake at {lake.store.root} {done} (layout {LAYOUT_VERSION}).", soft_wrap=True)
