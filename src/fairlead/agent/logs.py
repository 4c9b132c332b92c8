"""Log lines as Consul writes them, as text or JSON, to stderr or to a file that rotates."""

from __future__ import annotations

import json
import logging
import logging.handlers
import time
from pathlib import Path
from typing import Any

from fairlead.durations import SECOND_NS
from fairlead.errors import SettingsError
from fairlead.settings.settings import Settings

__all__ = ["configure_logs"]

TRACE = 5
_LEVELS = {
    "TRACE": TRACE,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERR": logging.ERROR,
    "ERROR": logging.ERROR,
}
_NAMES = {TRACE: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "ERROR"}


class TextFormatter(logging.Formatter):
    """`2026-01-01T00:00:00.000Z [INFO]  agent: message: key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        level = f"[{_NAMES.get(record.levelno, record.levelname)}]"
        text = f"    {_stamp(record)} {level:<7} {record.name}: {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class JsonFormatter(logging.Formatter):
    """One object a line, with Consul's `@` names."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "@level": _NAMES.get(record.levelno, record.levelname).lower(),
            "@message": record.getMessage(),
            "@module": record.name,
            "@timestamp": _stamp(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _stamp(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def configure_logs(settings: Settings) -> None:
    """Send everything that is logged where the settings say; may be called again.

    Raises:
        SettingsError: the log file cannot be written.
    """
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    formatter = JsonFormatter() if settings.log_json else TextFormatter()
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if settings.log_file:
        handlers.append(_file_handler(settings))
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(_LEVELS[settings.log_level])
    logging.getLogger("asyncio").setLevel(max(root.level, logging.WARNING))


def _file_handler(settings: Settings) -> logging.Handler:
    """Rotated by size when `log_rotate_bytes` is set, else by time, as in Consul."""
    path = Path(settings.log_file)
    if settings.log_file.endswith("/") or path.is_dir():
        path = path / "fairlead.log"
    keep = max(settings.log_rotate_max_files, 0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if settings.log_rotate_bytes > 0:
            return logging.handlers.RotatingFileHandler(
                path, maxBytes=settings.log_rotate_bytes, backupCount=keep or 1_000
            )
        seconds = max(settings.log_rotate_duration // SECOND_NS, 1)
        return logging.handlers.TimedRotatingFileHandler(
            path, when="S", interval=seconds, backupCount=keep, utc=True
        )
    except OSError as error:
        raise SettingsError(f"cannot write log_file {path}: {error.strerror}") from error
