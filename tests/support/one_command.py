"""One command in the process it finds itself in, as a shell would run it; `commands.py` says which, in `ORDER`.

A file to be run and not imported, because a forked process does not know where tests lie.
"""

import os
import sys
from typing import Any

from dagster_project.cli.main import main
from hasty_databases import wait_for_no_disk

wait_for_no_disk()
order: dict[str, Any] = globals()["ORDER"]
handle = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
os.dup2(handle, 1)
os.dup2(handle, 2)
os.environ.clear()
os.environ.update(order["environment"])
sys.argv = ["minemap", *order["words"]]
main()
