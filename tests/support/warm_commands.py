"""What a process that commands are forked from has done for all of them, beyond importing: opened an instance."""

from pathlib import Path
from tempfile import TemporaryDirectory

from dagster_project.instance import open_instance
from hasty_databases import wait_for_no_disk

wait_for_no_disk()
with TemporaryDirectory() as folder, open_instance(Path(folder)):
    pass
