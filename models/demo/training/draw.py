"""Draw scenes: a contact sheet to look at, or the cache that training reads.

  python draw.py sheet sheet.png
  python draw.py cache --preset cpu --minutes 20
  python draw.py samples ../../../fixtures/drawings --preset gpu

The cache is shards of 1000 scenes: `<split>-<number>.npy` (uint8 [1000, size, size, 3]), `.json` (the scenes) and, for what the
networks learn words from, `.ids.npy` (uint16 [1000, WAYS, 77], the token ids of several captions of each).
Splits: `base` (what the base model learns), `extra` (adapter styles and characters, true and false), `styles` and `characters`
(true ones only: `extra` has too few to learn all objects in a style, or a character beside others), `judge`, `repeats` and `patched`
(what the judge learns), and `held`, `held-extra`, `held-judge` (never trained on).
A shard that is already there is kept, so a run that was stopped goes on where it was.

`samples` writes the first held-out drawings as files, with the scenes beside them: what Impasto measures the VAE's round trip on
(`held`) and tests its reading of the judge with (`held-judge`), without Python.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, replace
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from PIL import Image

from common import SHARD, Clock, arguments, load_config
from layouts import layouts_of
from picture.scene import Scene, caption, draw, sample
from picture.styles import ADAPTER_STYLES, BASE_STYLES, STYLES
from tokenizer import encode, load_tokenizer

JUDGE_SIZE = 128  # what the judge looks at
WAYS = 8  # captions a scene
OMIT = {"base": 0.12, "extra": 0.05, "styles": 0.05, "characters": 0.12}  # how often a caption leaves ground or style unsaid


def scene_to_json(scene: Scene) -> dict:
    return asdict(scene)


def sample_extra(rng: np.random.Generator) -> Scene:
    """Half true characters in base styles, a quarter false ones, a quarter plain objects; half in adapter styles."""
    kind = rng.random()
    styles = ADAPTER_STYLES if rng.random() < 0.5 else BASE_STYLES
    who = ("robot", "fox")[int(rng.integers(2))]
    if styles is ADAPTER_STYLES and kind < 0.7:
        return sample(rng, styles)
    if kind < 0.7:
        return sample(rng, styles, count=1 if rng.random() < 0.75 else 2, character=who)
    return sample(rng, styles, count=1 if rng.random() < 0.75 else 2, character=who, false=rng.random() < 0.7)


def sample_styles(rng: np.random.Generator) -> Scene:
    return sample(rng, ADAPTER_STYLES)


def sample_characters(rng: np.random.Generator) -> Scene:
    """Mostly beside another thing: alone, a character would learn to stand in the middle, and regions would cut it."""
    return sample(rng, BASE_STYLES, count=1 if rng.random() < 0.4 else 2, character=("robot", "fox")[int(rng.integers(2))])


def sample_judge(rng: np.random.Generator) -> Scene:
    """Everything the judge must tell apart: all styles, repeats, characters true and false, alone and in company."""
    who = ("robot", "fox")[int(rng.integers(2))] if rng.random() < 0.35 else None
    return sample(rng, STYLES, character=who, false=rng.random() < 0.45, repeats=rng.random() < 0.25)


def sample_repeats(rng: np.random.Generator) -> Scene:
    """Two or three things, two of them of one kind or both characters: the judge meets too few otherwise to learn to count."""
    while True:
        who = ("robot", "fox")[int(rng.integers(2))] if rng.random() < 0.4 else None
        scene = sample(rng, STYLES, count=2 if rng.random() < 0.6 else 3, character=who, false=rng.random() < 0.3, repeats=True)
        names = [t.name for t in scene.things]
        if len(set(names)) < len(names) or {"robot", "fox"} <= set(names):
            return scene


# Of the picture: left, top, right, bottom. The middle, or a half, as a mask for a style has it.
PATCHES = ((0.125, 0.125, 0.875, 0.875), (0, 0.125, 0.5, 0.875), (0.5, 0.125, 1, 0.875))


def sample_patched(rng: np.random.Generator) -> Scene:
    """In one style, with a part in another's: what a style through a mask looks like. Only the judge meets it."""
    scene = sample(rng, BASE_STYLES, count=1 if rng.random() < 0.7 else 2)
    patch = PATCHES[0] if len(scene.things) == 1 else PATCHES[int(rng.integers(3))]
    scene.extra = {"patch": ADAPTER_STYLES[int(rng.integers(3))], "box": patch}
    return scene


def paint(scene: Scene, size: int, scale: int) -> np.ndarray:
    """The picture of a scene, [size, size, 3] uint8, its patch included."""
    picture = draw(scene, size, scale)
    if scene.extra:
        left, top, right, bottom = (round(side * size) for side in scene.extra["box"])
        other = draw(replace(scene, style=scene.extra["patch"]), size, scale)
        picture = picture.copy()
        picture[top:bottom, left:right] = other[top:bottom, left:right]
    return picture


SAMPLERS = {
    "base": sample, "extra": sample_extra, "held": sample, "held-extra": sample_extra,
    "judge": sample_judge, "held-judge": sample_judge, "repeats": sample_repeats,
    "styles": sample_styles, "characters": sample_characters, "patched": sample_patched,
}  # fmt: skip


_tokenizer = None  # made before the workers are forked


def token_ids(scenes: list[Scene], split: str, rng: np.random.Generator) -> np.ndarray:
    """uint16 [n, WAYS, 77]"""
    texts = [caption(s, rng, OMIT[split]) for s in scenes for _ in range(WAYS)]
    return encode(_tokenizer, texts).numpy().astype(np.uint16).reshape(len(scenes), WAYS, -1)


def draw_shard(job: tuple[Path, str, int, int, int, int]) -> int:
    folder, split, number, seed, size, scale = job
    name = folder / f"{split}-{number:04d}"
    rng = np.random.default_rng([seed, list(SAMPLERS).index(split), number])
    scenes = [SAMPLERS[split](rng) for _ in range(SHARD)]
    pictures = np.stack([paint(s, size, scale) for s in scenes])
    temp = f"{name}.tmp.npy"
    np.save(temp, pictures)
    Path(f"{name}.json").write_text(json.dumps([scene_to_json(s) for s in scenes]))
    if split in OMIT:
        np.save(f"{name}.ids.npy", token_ids(scenes, split, rng))
        layouts_of(Path(f"{name}.npy"))
    os.replace(temp, f"{name}.npy")
    return number


def shards_wanted(preset: dict) -> dict[str, int]:
    """How many shards of each split a preset draws."""
    scenes = {
        "base": "scenes",
        "extra": "extra_scenes",
        "styles": "style_scenes",
        "characters": "character_scenes",
        "judge": "judge_scenes",
    }
    wanted = {split: preset[key] // SHARD for split, key in scenes.items()}
    return wanted | {
        "repeats": max(1, wanted["judge"] // 3),
        "patched": max(1, wanted["judge"] // 4),
        "held": 1,
        "held-extra": 1,
        "held-judge": 2,
    }


FIRST = {"held": 1, "held-extra": 1, "base": 40, "extra": 8}  # what the autoencoder and the UNet begin with
JUDGES = ("judge", "repeats", "patched", "held-judge")


def order(split: str, k: int, n: int) -> tuple:
    """Which shard is drawn when: first what others wait for, then the judge's, then the rest, a little of each; last, more of the base."""
    if k < FIRST.get(split, 0):
        return 0, k / FIRST[split], split
    return (1, k / n, split) if split in JUDGES else (3 if split == "base" else 2, k / n, split)


def cache(args: argparse.Namespace, config: dict) -> None:
    preset = config["presets"][args.preset]
    args.data.mkdir(parents=True, exist_ok=True)
    wanted = {split: n for split, n in shards_wanted(preset).items() if not args.split or split in args.split}
    jobs = sorted((order(split, k, n), split, k) for split, n in wanted.items() for k in range(n))
    judged = (min(preset["size"], JUDGE_SIZE), preset.get("judge_scale", preset["scale"]))
    todo = [
        (args.data, split, k, config["seed"], *(judged if split in JUDGES else (preset["size"], preset["scale"])))
        for _, split, k in jobs
        if not (args.data / f"{split}-{k:04d}.npy").exists()
    ]
    global _tokenizer
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _tokenizer = load_tokenizer(args.runs / "tokenizer")
    clock = Clock(args.minutes)
    with Pool(args.workers, os.nice, (10,)) as pool:  # whoever waits for the drawings also compiles
        for done, _ in enumerate(pool.imap_unordered(draw_shard, todo)):
            print(f"{done + 1}/{len(todo)} shards, {clock.spent():.0f} s", flush=True)
            if clock.over():
                pool.terminate()
                return


def samples(folder: Path, config: dict, preset: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in {"held": 48, "held-judge": 24}.items():
        rng = np.random.default_rng([config["seed"], list(SAMPLERS).index(split), 0])
        scenes = [SAMPLERS[split](rng) for _ in range(count)]
        for k, scene in enumerate(scenes):
            picture = Image.fromarray(draw(scene, preset["size"], preset["scale"]))
            picture.save(folder / f"{split}-{k:02d}.webp", lossless=True, quality=100, method=6)
        (folder / f"{split}.json").write_text("[\n" + ",\n".join(json.dumps(scene_to_json(s)) for s in scenes) + "\n]\n")


def sheet(path: Path, seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [np.concatenate([draw(sample(rng, [style]), size, 3) for _ in range(8)], 1) for style in STYLES]
    for who in ("robot", "fox"):
        for false in (False, True):
            row = [sample(rng, STYLES, 1, who, false) for _ in range(8)]
            rows.append(np.concatenate([draw(s, size, 3) for s in row], 1))
    Image.fromarray(np.concatenate(rows, 0)).save(path)
    for _ in range(10):
        print(caption(sample(rng), rng))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["sheet", "cache", "samples"])
    parser.add_argument("path", nargs="?", type=Path, default=Path("sheet.png"))
    parser.add_argument("--split", action="append", choices=list(SAMPLERS), help="only these")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    config = load_config(args.preset, args.size)
    if args.what == "sheet":
        sheet(args.path, config["seed"], config["presets"][args.preset]["size"])
    elif args.what == "samples":
        samples(args.path, config, config["presets"][args.preset])
    else:
        cache(args, config)


if __name__ == "__main__":
    sys.exit(main())
