"""What every stage shares: arguments, the clock, checkpoints, the log of losses, and reading the cache."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

SHARD = 1000  # scenes in one file of the cache
HERE = Path(__file__).resolve().parent


def load_config(preset: str = "full", size: int | None = None) -> dict:
    """config.json, with the sizes of networks that this preset has of its own; `size` overrides the picture's."""
    config = json.loads((HERE / "config.json").read_text())
    if size:
        config["presets"][preset]["size"] = size
    return config | config["presets"][preset].get("networks", {})


def arguments(doc: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=["full", "cpu", "smoke"], default="full")
    parser.add_argument("--size", type=int, help="pixels a side, where it is to differ from the preset's (with a cache of its own)")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop, with everything saved, after so long")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("IMPASTO_DEMO_DATA", "demo-data")), help="the cache")
    parser.add_argument("--after", type=Path, help="make ready, then begin once this file is there")
    parser.add_argument("--runs", type=Path, default=Path(os.environ.get("IMPASTO_DEMO_RUNS", "demo-runs")), help="checkpoints and logs")
    return parser


class Clock:
    """Minutes that a stage may take, counted from when it was made."""

    def __init__(self, minutes: float):
        self.start, self.limit = time.time(), minutes * 60

    def spent(self) -> float:
        return time.time() - self.start

    def done(self) -> float:
        """The share of the minutes that is spent, 0 to 1."""
        return min(1.0, self.spent() / self.limit)

    def over(self) -> bool:
        return self.spent() > self.limit


class Log:
    """Losses as JSON lines, one file a stage, appended to by every run of it."""

    def __init__(self, runs: Path, stage: str):
        runs.mkdir(parents=True, exist_ok=True)
        self.path = runs / f"{stage}.log.jsonl"

    def rows(self) -> int:
        return len(self.path.read_text().splitlines()) if self.path.exists() else 0

    def write(self, **row) -> None:
        with self.path.open("a") as f:
            f.write(json.dumps({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}) + "\n")
        print(" ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)


def save_state(path: Path, **parts) -> None:
    """Write a resumable checkpoint: to a temporary file first, then renamed."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_suffix(".tmp")
    torch.save(parts, temp)
    os.replace(temp, path)


def load_state(path: Path) -> dict | None:
    import torch

    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


def shards(data: Path, split: str) -> list[Path]:
    return sorted(p for p in data.glob(f"{split}-[0-9]*.npy") if p.name.count(".") == 1)


def device():
    import torch

    torch.set_float32_matmul_precision("high")
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast():
    """bfloat16 where the device computes in it: a CPU that does not emulates it, up to eighty times slower than float32."""
    import torch

    where = device().type
    return torch.autocast(where, dtype=torch.bfloat16, enabled=where != "cpu" or torch.cpu._is_avx512_bf16_supported())
