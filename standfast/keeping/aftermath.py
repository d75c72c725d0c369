"""After a restore: the log says that it was restored, and the projections follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.runtime.solo import SoloWriter
from actors.storage import RecordStorage
from events.address import EntityAddress
from events.log import Log
from events.storage import LogRestored
from projections.database import AlreadyWrittenError
from projections.runner import Runner

if TYPE_CHECKING:
    from standfast.keeping.place import Place
    from standfast.keeping.restoring import Restored
    from standfast.keeping.sources import Source

STORAGE_ADDRESS = EntityAddress("storage", "log")


async def write_down(place: Place, source: Source, restored: Restored, by: str) -> None:
    """Commit the first fact of the new generation."""
    log = await Log.open(place.client)
    writer = await SoloWriter.open(log, place.author, f"person:{by}", STORAGE_ADDRESS)
    fact = LogRestored(
        generation=restored.identity.generation,
        source="backup" if source.what == "backup" else "archive",
        made=source.made,
        source_generation=source.identity.generation,
        head=source.head,
        given_up=restored.loss.commits,
        given_up_since=restored.loss.since,
        by=by,
    )
    await writer.give(RecordStorage(fact=fact))


async def bring_projections(place: Place) -> None:
    """Bring the projections into the new life of the log, unless a projector does it."""
    if place.has_projector:
        return
    runner = Runner(await Log.open(place.client), place.projections_url)
    try:
        await runner.open()
        await runner.catch_up()
    except AlreadyWrittenError:
        pass  # a projector that nobody recorded is at work
    finally:
        await runner.close()
