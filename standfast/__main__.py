"""The way in: it makes sure that `events` and the other packages are ours before it uses them."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parent.parent


def main() -> None:
    """Run the command line."""
    sys.path.insert(0, str(ROOT))
    import events  # noqa: PLC0415  (only now is it sure which one)

    found = Path(events.__file__ or "").absolute().parent.parent
    assert found == ROOT, f"the package 'events' of {found} hides ours in {ROOT}"
    if sys.argv[1:2] == ["process"]:
        from standfast.roles.process import main as run_process  # noqa: PLC0415

        sys.exit(run_process(sys.argv[2:]))
    if sys.argv[1:2] == ["preflight"]:
        from standfast.preflight import main as look  # noqa: PLC0415

        sys.exit(look(sys.argv[2:]))
    if sys.argv[1:2] == ["upgrade"]:  # its own code is what may be broken
        from standfast.preflight import trouble  # noqa: PLC0415

        if wrong := trouble():
            sys.exit(f"standfast: nothing was changed: {wrong}")
    from standfast.cli import run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
