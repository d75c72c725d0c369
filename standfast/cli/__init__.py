"""The command line: one module a group of commands, each a thin layer over what it shows."""

from __future__ import annotations

from standfast.cli.app import run

__all__ = ["run"]
