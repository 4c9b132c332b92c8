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

__all__ = ["JsonFormatter", "TextFormatter", "attach", "configure_logs", "detach", "level_of"]

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

    def __init__(self, indent: str = "    ") -> None:
        super().__init__()
        self._indent = indent

    def format(self, record: logging.LogRecord) -> str:
        level = f"[{_NAMES.get(record.levelno, record.levelname)}]"
        text = f"{self._indent}{_stamp(record)} {level:<7} {record.name}: {record.getMessage()}"
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
        if handler not in _attached:
            root.removeHandler(handler)
            handler.close()
    formatter = JsonFormatter() if settings.log_json else TextFormatter()
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if settings.log_file:
        handlers.append(_file_handler(settings))
    for handler in handlers:
        handler.setFormatter(formatter)
        handler.setLevel(_LEVELS[settings.log_level])
        root.addHandler(handler)
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    _set_levels()


# What they say at DEBUG is about themselves, and much: hpack alone writes a dozen lines a request.
_LIBRARIES = ("asyncio", "h2", "hpack")
# The handlers that are not the settings' business.
_attached: set[logging.Handler] = set()


def attach(handler: logging.Handler) -> None:
    """Send everything that is logged there too, from the handler's own level on."""
    _attached.add(handler)
    logging.getLogger().addHandler(handler)
    _set_levels()


def detach(handler: logging.Handler) -> None:
    """Take back `attach`."""
    _attached.discard(handler)
    logging.getLogger().removeHandler(handler)
    _set_levels()


def level_of(name: str) -> int | None:
    """The level that a word means, in any case; None for what is none."""
    return _LEVELS.get(name.upper())


def _set_levels() -> None:
    """Let records be made as soon as one handler wants them."""
    root = logging.getLogger()
    levels = [handler.level for handler in root.handlers if handler.level != logging.NOTSET]
    root.setLevel(min(levels, default=logging.WARNING))
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
