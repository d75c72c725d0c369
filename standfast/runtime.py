"""The runtime file: how Standfast's own processes and the command line reach what runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from events.base import Value
from events.build import build_id
from events.commit import Author
from events.server import LOG_DATA, ServerAddress
from events.telemetry import Vantage
from standfast.config.model import Configuration
from standfast.paths import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from standfast.paths import StateDirectory


class Runtime(Value):
    """What is needed to join: the log's address and token, and who its commits are by.

    `build` is the supervisor's. Every other process says by itself which build it is: it may have
    been started anew from newer code.
    """

    log_url: str
    log_token: str
    platform: str
    cell: str
    build: str
    is_demo: bool = False
    web_url: str = ""

    @property
    def address(self) -> ServerAddress:
        """The log's server."""
        return ServerAddress(self.log_url, self.log_token)

    @property
    def author(self) -> Author:
        """By what and where this process makes commits."""
        return Author(self.platform, self.cell, build_id())

    def vantage(self, producer: str) -> Vantage:
        """Give the vantage point of this process, one of Standfast's."""
        return Vantage(self.platform, self.cell, producer, build_id())

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Runtime({self.log_url!r}, {self.platform!r})"

    def write(self, path: Path) -> None:
        """Write the file, readable by its owner only."""
        write_private(path, self.model_dump_json(indent=1))


class NotRunningError(Exception):
    """Standfast does not run with this state directory, or never did."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A state directory with all that its processes read from it."""

    directory: StateDirectory
    runtime: Runtime
    configuration: Configuration

    @classmethod
    def read(cls, directory: StateDirectory) -> Situation:
        """Read the files that the supervisor wrote. Raises `NotRunningError`."""
        try:
            runtime = Runtime.model_validate_json(directory.runtime.read_bytes())
            content = json.loads(directory.configuration.read_bytes())
            return cls(directory, runtime, Configuration.model_validate(content))
        except FileNotFoundError as error:
            message = (
                f"nothing ran with {directory.root} yet; `standfast up` begins,"
                " `standfast log restore FILE` brings a log"
            )
            raise NotRunningError(message) from error
        except (ValidationError, ValueError, OSError) as error:
            message = f"{directory.root} can't be used: {error}"
            raise NotRunningError(message) from error

    @classmethod
    def of(cls, directory: StateDirectory) -> Situation:
        """Read it as `read`; where a log was brought and nothing ran yet, that log is embedded."""
        if directory.runtime.exists() or not (directory.log / LOG_DATA).is_dir():
            return cls.read(directory)
        configuration = Configuration(state_dir=directory.root)
        platform = configuration.platform
        runtime = Runtime(
            log_url="",
            log_token="",
            platform=platform.name,
            cell=platform.cell,
            build=build_id(),
        )
        return cls(directory, runtime, configuration)

    @property
    def projections_url(self) -> str:
        """The URL of the projections' database."""
        configured = self.configuration.projections.url
        return configured or f"sqlite:///{self.directory.projections}"
