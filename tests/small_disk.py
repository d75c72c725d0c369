"""A disk that is soon full, seen by those alone who are started in its namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

DISK = "24m"


@dataclass
class SmallDisk:
    """A tmpfs in a mount namespace of its own, which lives as long as its holder."""

    place: Path
    holder: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        script = f'mount -t tmpfs -o size={DISK} tmpfs "$1" && echo mounted && exec sleep 600'
        self.holder = subprocess.Popen(
            [
                shutil.which("unshare") or "unshare",
                "--mount",
                "sh",
                "-c",
                script,
                "sh",
                str(self.place),
            ],
            stdout=subprocess.PIPE,
        )
        assert self.holder.stdout is not None
        if self.holder.stdout.readline() != b"mounted\n":
            pytest.skip("needs the right to mount")

    @property
    def inside(self) -> Path:
        """The tmpfs, as it is seen from outside its namespace."""
        return Path(f"/proc/{self.holder.pid}/root{self.place}")

    def fill(self) -> None:
        """Leave not one byte."""
        file = os.open(self.inside / "ballast", os.O_CREAT | os.O_WRONLY)
        for size in (65536, 4096, 1):
            try:
                while True:
                    os.write(file, b"x" * size)
            except OSError:
                continue
        os.close(file)

    def free(self) -> None:
        """Give the room back."""
        (self.inside / "ballast").unlink()

    def end(self) -> None:
        """End the holder; the disk is gone with it."""
        self.holder.kill()
        self.holder.communicate()


@dataclass
class SharedDisk(SmallDisk):
    """A small disk that everybody sees, until it ends."""

    size: str = "160m"

    def __post_init__(self) -> None:
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.size}", "tmpfs", str(self.place)]
        if os.geteuid() != 0 or subprocess.run(command, check=False).returncode != 0:
            pytest.skip("needs the right to mount")

    @property
    def inside(self) -> Path:
        """The disk."""
        return self.place

    def end(self) -> None:
        """Unmount it, whoever still has a file of it open."""
        umount = shutil.which("umount") or "umount"
        subprocess.run([umount, "--lazy", str(self.place)], check=True)
