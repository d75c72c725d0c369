"""Ray's own command, but never with a client server: it would be one more port open to all.

Ray starts that server wherever grpc can be imported, and has no option against it.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run `ray` with the arguments of the command line."""
    sys.modules["grpc"] = None  # type: ignore[assignment]  # importing it fails from now on
    from ray.scripts.scripts import main as ray  # noqa: PLC0415  (only after grpc is out of reach)

    ray()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
