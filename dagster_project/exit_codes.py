"""What the exit code of a command means; 0 is done."""

FAILED = 1
"""Something failed, and it is not what was given."""

WRONG_INPUT = 2
"""An option, a file or a setting is wrong."""

STOPPED = 3
"""A run ended at the project's first model, which is not usable; nothing failed."""

UNEXPECTED = 70
"""minemap met something that it does not expect."""

INTERRUPTED = 130
"""Somebody stopped it."""
