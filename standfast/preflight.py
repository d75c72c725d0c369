"""Whether the release that is installed now can run at all: asked before anything is replaced."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from events.build import PACKAGES, ROOT, build_id

LEFT_OUT = ("standfast.__main__", "actors.runtime.ray_head", "actors.runtime.this_host")
"""Modules that act when they are imported, or that only a cluster needs."""


def trouble(config: Path | None = None) -> str:
    """Import every module and read the configuration; gives what can't be, or nothing."""
    for package in PACKAGES:
        for name in _modules(package):
            try:
                importlib.import_module(name)
            except Exception as error:  # noqa: BLE001  (whatever it is, it would end a process)
                return f"{name} can't be loaded: {type(error).__name__}: {error}"
    return _trouble_in(config) if config is not None else ""


def _modules(package: str) -> list[str]:
    """Give all modules of a package by their files: looking must import nothing yet."""
    paths = sorted((ROOT / package).rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    modules = [name.removesuffix(".__init__") for name in names]
    return [name for name in modules if name not in LEFT_OUT]


def _trouble_in(config: Path) -> str:
    from standfast.config.load import InvalidConfigurationError, load_file  # noqa: PLC0415

    try:
        load_file(config)
    except InvalidConfigurationError as error:
        return f"{config} is not valid for it: {error.mistakes[0]}"
    return ""


def main(arguments: list[str]) -> int:
    """Print the build of what is installed, or what is wrong with it; gives the exit code."""
    found = trouble(Path(arguments[0]) if arguments else None)
    sys.stdout.write(f"{found or build_id()}\n")
    return 1 if found else 0
