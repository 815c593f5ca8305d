"""Read the cache of drawings onto the device, while it may still be growing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from common import SHARD, device, shards


def ready(data: Path, splits: list[str]) -> list[Path]:
    """The shards that are there, a few of every split before more of any."""
    return sorted((f for split in splits for f in shards(data, split)), key=lambda f: (f.stem.rsplit("-", 1)[1], f.stem))


def wait_until(there: Callable[[], bool], what: str, seconds: float = 3600) -> None:
    """For another process's work. Raises TimeoutError."""
    end = time.time() + seconds
    while not there():
        if time.time() > end:
            raise TimeoutError(f"no {what} after {seconds:.0f} s")
        time.sleep(0.2)


def wait_for_file(path: Path) -> None:
    wait_until(path.exists, str(path))


def wait_for(data: Path, split: str, count: int) -> None:
    """Until so many shards of `split` are drawn. Raises TimeoutError."""
    wait_until(lambda: len(shards(data, split)) >= count, f"{count} shards of {split}", 600)


class Pictures:
    """Drawings of some splits, uint8 [n, size, size, 3] on the device; `refresh` adds shards that were drawn since, up to `most`.

    A `size` below the cache's reduces by area.
    """

    def __init__(self, data: Path, splits: list[str], most: int, size: int | None = None):
        self.data, self.splits, self.most, self.size = data, splits, most, size
        self.files: list[Path] = []
        self.store: torch.Tensor | None = None
        self.count = 0

    def refresh(self) -> None:
        for f in ready(self.data, self.splits):
            if f in self.files or self.count + SHARD > self.most or not f.stat().st_size:
                continue
            some = torch.from_numpy(np.load(f)).to(device())
            if self.size and some.shape[1] != self.size:
                some = torch.cat([reduce(part, self.size) for part in some.split(100)])
            if self.store is None:
                self.store = torch.empty(self.most, *some.shape[1:], dtype=torch.uint8, device=device())
            self.store[self.count : self.count + len(some)] = some
            self.count += len(some)
            self.files.append(f)


def reduce(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """uint8 [n, h, w, 3] -> uint8 [n, size, size, 3], by area."""
    x = F.adaptive_avg_pool2d(pictures.permute(0, 3, 1, 2).float(), size)
    return x.round().byte().permute(0, 2, 3, 1)
