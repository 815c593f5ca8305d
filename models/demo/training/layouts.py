"""Where what stands in a scene, as an array: what the UNet's teacher and the adapters' weights ask for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from picture.scene import COLOUR_NAMES, OBJECT_NAMES, TRIGGERS, Scene, Thing


def scene_from_json(d: dict) -> Scene:
    return Scene(**{**d, "things": [Thing(**t) for t in d["things"]]})


def scenes_of(shard: Path) -> list[Scene]:
    return [scene_from_json(d) for d in json.loads(shard.with_suffix(".json").read_text())]


def layout(scene: Scene) -> np.ndarray:
    """[3, 5]: kind, colour, x, y and half width of up to three things; kind -1 where there is none, -2 and below a character."""
    out = np.full((3, 5), -1.0, np.float32)
    for k, t in enumerate(scene.things):
        if t.name in OBJECT_NAMES:
            out[k] = OBJECT_NAMES.index(t.name), COLOUR_NAMES.index(t.colour), t.x, t.y, t.half
        else:
            out[k] = character_kind(t.name), -1, t.x, t.y, t.half
    return out


def character_kind(name: str) -> int:
    """What stands for a character in a layout; the base knows none."""
    return -2 - list(TRIGGERS).index(name)


def layouts_of(shard: Path) -> np.ndarray:
    """Float32 [n, 3, 5], kept beside the shard: a training that reads shards as they come should not wait for their scenes."""
    file = shard.with_suffix(".layout.npy")
    if not file.exists():
        temp = file.with_suffix(f".{os.getpid()}.npy")
        np.save(temp, np.stack([layout(s) for s in scenes_of(shard)]))
        os.replace(temp, file)
    return np.load(file)
