"""Logs as JSON, one object a line on the error stream, for machines that collect them: `MINEMAP_LOG=json`.

Every process calls `install` once where it begins. From then on what any library logs, and every other line on the
error stream, is an object with `time` (ISO 8601, UTC), `level`, `logger` and `message`; what a step logs also has
`run_id`, `asset` and `partition`. Values of environment variables that are named like secrets never appear.
"""

import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import dagster as dg

VARIABLE = "MINEMAP_LOG"
JSON = "json"

HIDDEN = "***"

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|WEBHOOK", re.IGNORECASE)
_SHORTEST = 8
"""Characters of a value that is taken for a secret; shorter ones are found in ordinary words."""

_NO_SECRETS = re.compile(r"(?:/|\./|~)[\w./-]*|\d+")
"""Paths and numbers stand in such variables as well (`GOOGLE_APPLICATION_CREDENTIALS`), and are none."""

_DAGSTER = "dagster_meta"
"""Attribute that Dagster gives its log records."""

_LEVELS = {"Error:": "error", "Damaged:": "error", "Traceback": "error", "Note:": "warning", "Warning:": "warning"}
"""Levels of lines that say themselves what they are."""


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether logs are to be JSON."""
    return environment.get(VARIABLE, "").strip().lower() == JSON


def install() -> None:
    """Write JSON from now on, where that is wanted; doing it twice is fine."""
    if not wanted() or isinstance(sys.stderr, JsonStream):
        return
    stream = JsonStream(sys.stderr)
    sys.stderr = stream
    logging.getLogger().addHandler(handler(stream))
    logging.captureWarnings(True)


def handler(stream: "JsonStream") -> logging.Handler:
    """A handler that writes JSON objects."""
    made = _Handler()
    made.stream = stream
    return made


def secrets(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Values that must not be shown, the longest first."""
    found = {
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST and not _NO_SECRETS.fullmatch(value)
    }
    return sorted(found, key=lambda value: (-len(value), value))


def redacted(text: str) -> str:
    """A text without the values of secrets."""
    for secret in secrets():
        text = text.replace(secret, HIDDEN)
    return text


def entry(level: str, logger: str, message: str, when: datetime | None = None, **facts: str | None) -> str:
    """One line; facts that are None are left out."""
    said = {
        "time": (when or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger,
        **{name: redacted(value) for name, value in facts.items() if value is not None},
        "message": redacted(message),
    }
    return json.dumps(said, ensure_ascii=False)


class JsonStream(io.TextIOBase):
    """An error stream on which every line becomes an object; `put` writes one that is an object already."""

    def __init__(self, inner: TextIO) -> None:
        self.inner = inner
        self._lock = threading.RLock()
        self._rest = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream behind it."""
        return self.inner.encoding

    def isatty(self) -> bool:
        """No progress bars, no colours."""
        return False

    def writable(self) -> bool:
        """It is written to."""
        return True

    def fileno(self) -> int:
        """What child processes inherit."""
        return self.inner.fileno()

    def write(self, text: str) -> int:
        """Take text, and write its whole lines."""
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._line(line)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written; a line that has not ended waits for its end."""
        self.inner.flush()

    def close(self) -> None:
        """Write what is left; the stream behind it belongs to the process."""
        with self._lock:
            self._line(self._rest)
            self._rest = ""
        self.inner.flush()

    def put(self, line: str) -> None:
        """Write one object."""
        with self._lock:
            self.inner.write(f"{line}\n")
            self.inner.flush()

    def _line(self, line: str) -> None:
        text = line.rstrip("\r")
        if text.strip():
            level = next((level for start, level in _LEVELS.items() if text.startswith(start)), "info")
            self.put(entry(level, "stderr", text))


class _Handler(logging.Handler):
    """Writes records as objects."""

    stream: JsonStream

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            self.stream.put(describe(record))
        except Exception:
            self.handleError(record)


def describe(record: logging.LogRecord) -> str:
    """A log record as one line; Dagster's carry the run, the asset and the partition."""
    meta: Mapping[str, Any] = getattr(record, _DAGSTER, None) or {}
    error = logging.Formatter().formatException(record.exc_info) if record.exc_info else _error_of(meta)
    return entry(
        record.levelname.lower(),
        record.name,
        str(meta.get("orig_message") or record.getMessage()),
        datetime.fromtimestamp(record.created, UTC),
        run_id=meta.get("run_id"),
        asset=_asset_of(meta),
        partition=(meta.get("job_tags") or {}).get("dagster/partition"),
        error=error,
    )


def _asset_of(meta: Mapping[str, Any]) -> str | None:
    """Room and name of the asset that a step makes; Dagster calls the step `room__name`."""
    event = meta.get("dagster_event")
    key = getattr(event, "asset_key", None)
    if key is not None:
        return str(key.to_user_string())
    step = meta.get("step_key") or meta.get("op_name")
    return str(step).split("[", 1)[0].replace("__", "/") if step else None


def _error_of(meta: Mapping[str, Any]) -> str | None:
    """What a failed step says of its failure."""
    data = getattr(meta.get("dagster_event"), "event_specific_data", None)
    error = getattr(data, "error", None)
    return str(error.to_string()) if error is not None else None


def loggers() -> "dict[str, dg.LoggerDefinition]":
    """Loggers for `dg.Definitions`: that of the console writes JSON where it is wanted; empty where it is not."""
    if not wanted():
        return {}
    import dagster as dg

    schema = {"log_level": dg.Field(str, default_value="INFO"), "name": dg.Field(str, default_value="dagster")}

    @dg.logger(config_schema=schema, description="One JSON object a line on the error stream.")
    def json_console(context: dg.InitLoggerContext) -> logging.Logger:
        """Dagster's messages of a run.

        The command line turns its console off for the sake of people who watch progress; JSON is not for them, so what
        informs is always written.
        """
        install()
        level = logging.getLevelNamesMapping().get(str(context.logger_config["log_level"]).upper(), logging.INFO)
        made = logging.Logger(str(context.logger_config["name"]), min(level, logging.INFO))
        stream = sys.stderr if isinstance(sys.stderr, JsonStream) else JsonStream(sys.stderr)
        made.addHandler(handler(stream))
        return made

    return {"console": json_console}
