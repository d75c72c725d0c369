"""The build id: the release, and a digest of the code that runs."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).absolute().parent.parent
PACKAGES = ("events", "actors", "evaluation", "effects", "projections", "scenarios", "standfast")
DIGEST_BYTES = 5


@cache
def build_id() -> str:
    """Give the build id, as in `0.1.0+3f2a91c04b`: another digest is other code."""
    return f"{release()}+{_digest()}"


def release() -> str:
    """Give the version of the installed distribution."""
    try:
        return version("standfast")
    except PackageNotFoundError:
        return "0"


def _digest() -> str:
    digest = blake2b(digest_size=DIGEST_BYTES)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(str(path.relative_to(ROOT)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
