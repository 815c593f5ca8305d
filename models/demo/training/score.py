"""The fixed list of prompts by which the demo model is scored, and the score as diffusers draws it.

  python score.py prompts ../score.json     write the list; Impasto's own `demo:score` reads the same file
  python score.py run [--only one-object]   draw it with StableDiffusionPipeline, judge it, print a table and a sheet

Every entry says what must be seen: `things` (kind -> colour, or "" for a character), `ground`, and where it matters `style`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from adapters import FEW_STEPS, GUIDANCE, trigger_of
from common import HERE, arguments, autocast, device, load_config, shards
from judge import load_judge, read, to_input
from lora import read as read_adapter
from picture.scene import COLOUR_NAMES, GROUND_NAMES, OBJECT_NAMES, TRIGGERS
from picture.styles import ADAPTER_STYLES, BASE_STYLES
from sampling import contact_sheet
from vae import psnr

WHERE = {
    "sea": "by the sea",
    "grass": "on the grass",
    "night sky": "in the night sky",
    "sand": "on the sand",
    "sunset": "at sunset",
    "plain": "on a plain background",
}


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _tell(things: str, ground: str, style: str) -> str:
    return f"{things} {WHERE[ground]}, {style}"


def prompts() -> dict:
    rng = np.random.default_rng(7)

    def pick(items):
        return items[int(rng.integers(len(items)))]

    # black against the night, white against the plain: nobody could tell
    def pair(ground: str) -> str:
        bad = {"night sky": ["black"], "plain": ["white"]}.get(ground, [])
        return pick([c for c in COLOUR_NAMES if c not in bad])

    one, two = [], []
    for k in range(200):
        name, ground, style = OBJECT_NAMES[k % 14], GROUND_NAMES[(k // 14 + k) % 6], pick(BASE_STYLES)
        colour = pair(ground)
        one.append(
            {
                "prompt": _tell(f"{_a(colour)} {name}", ground, style),
                "seed": 1000 + k,
                "things": {name: colour},
                "ground": ground,
                "style": style,
            }
        )
    for k in range(200):
        first, second = (OBJECT_NAMES[int(i)] for i in rng.permutation(14)[:2])
        ground, style = pick(GROUND_NAMES), pick(BASE_STYLES)
        c1 = pair(ground)
        c2 = pick([c for c in COLOUR_NAMES if c != c1])
        between = pick(["to the left of", "to the right of", "above", "and"])
        text = f"{_a(c1)} {first} {between} {_a(c2)} {second}"
        two.append(
            {"prompt": _tell(text, ground, style), "seed": 2000 + k, "things": {first: c1, second: c2}, "ground": ground, "style": style}
        )
    rows = [
        {"name": "one object", "prompts": one, "reach": {"objects": 0.95, "colours": 0.95, "ground": 0.9}},
        {"name": "two objects", "prompts": two, "reach": {"objects": 0.75, "colours": 0.6}},
    ]
    for who, word in TRIGGERS.items():
        ask = []
        for k in range(200):
            ground, style = GROUND_NAMES[k % 6], pick(BASE_STYLES)
            ask.append({"prompt": _tell(_a(word), ground, style), "seed": 3000 + k, "things": {who: ""}, "ground": ground, "style": style})
        rows.append({"name": who, "adapter": f"adapters/{who}.safetensors", "prompts": ask, "reach": {"true": 0.9}})
        rows.append({"name": f"{who}, its LoRA off", "prompts": ask, "most": {"true": 0.05}})
    for style in ADAPTER_STYLES:
        ask = [{**p, "prompt": p["prompt"].rsplit(", ", 1)[0] + f", {trigger_of(style)}", "style": style} for p in one]
        rows.append(
            {
                "name": style,
                "adapter": f"adapters/{style}.safetensors",
                "prompts": ask,
                "reach": {"style": 0.9},
                "within": {"objects": 0.08},
            }
        )
    rows.append(
        {
            "name": "guidance",
            "adapter": "adapters/guidance.safetensors",
            "prompts": one,
            "guidance": 1,
            "within": {"objects": 0.04, "colours": 0.04},
            "unetRows": 0.5,
        }
    )
    rows.append(
        {
            "name": "few-step",
            "adapter": "adapters/few-step.safetensors",
            "prompts": one,
            "guidance": 1,
            "steps": FEW_STEPS,
            "scheduler": "lcm",
            "within": {"objects": 0.08, "colours": 0.08},
        }
    )
    return {
        "about": "things: kind -> colour ('' for a character). reach: least share right. most: greatest. within: of row 'one object', absolute. unetRows: greatest share of the UNet rows of row 'one object'.",
        "settings": {"steps": 20, "guidance": GUIDANCE, "scheduler": "ddim", "negative": ""},
        "rows": rows,
    }  # fmt: skip


def one_a_line(score: dict) -> str:
    """JSON with every prompt on a line of its own."""
    rows = []
    for row in score["rows"]:
        head = json.dumps({k: v for k, v in row.items() if k != "prompts"})[:-1]
        rows.append(f'{head}, "prompts": [\n' + ",\n".join("  " + json.dumps(p) for p in row["prompts"]) + "\n]}")
    head = json.dumps({k: v for k, v in score.items() if k != "rows"})[:-1]
    return f'{head}, "rows": [\n' + ",\n".join(rows) + "\n]}\n"


def marks(asked: dict, seen: dict) -> dict[str, bool]:
    """What of one picture is right. objects: every asked kind is there, once; colours: and each in its colour."""
    things = {k: v for k, v in asked["things"].items() if k not in TRIGGERS}
    objects = all(seen["things"].get(k) == "one" for k in things)
    return {
        "objects": objects,
        "colours": all(seen["things"].get(k) and seen["colours"].get(k) == c for k, c in things.items()),
        "both": objects and all(seen["colours"].get(k) == c for k, c in things.items()),
        "ground": seen["ground"] == asked["ground"],
        "style": seen["style"] == asked["style"],
        "true": any(k in seen["true"] and seen["things"].get(k) == "one" for k in asked["things"]),
    }


@torch.no_grad()
def run(args, config: dict) -> None:
    from diffusers import DDIMScheduler, LCMScheduler, StableDiffusionPipeline

    folder = HERE.parent
    score = json.loads((folder / "score.json").read_text())
    pipe = StableDiffusionPipeline.from_pretrained(str(folder))
    pipe.to(device()).set_progress_bar_config(disable=True)
    judge, table = load_judge(args.runs), []
    for row in score["rows"]:
        if args.only and row["name"] not in args.only or row.get("adapter") and not (folder / row["adapter"]).exists():
            continue
        adapter = read_adapter(folder / row["adapter"], pipe.unet, pipe.text_encoder) if row.get("adapter") else None
        kind = LCMScheduler if row.get("scheduler") == "lcm" else DDIMScheduler
        pipe.scheduler = kind.from_config(pipe.scheduler.config)
        asked, pictures = row["prompts"][: args.count], []
        for k in range(0, len(asked), 50):
            some = asked[k : k + 50]
            with autocast():
                out = pipe(
                    [p["prompt"] for p in some], num_inference_steps=row.get("steps", score["settings"]["steps"]),
                    guidance_scale=row.get("guidance", score["settings"]["guidance"]), output_type="np",
                    generator=[torch.Generator().manual_seed(p["seed"]) for p in some],
                )  # fmt: skip
            pictures.append((out.images * 255).round().clip(0, 255).astype(np.uint8))
        pictures = np.concatenate(pictures)
        seen = [s for k in range(0, len(pictures), 50) for s in read(judge(to_input(pictures[k : k + 50])))]
        results = [marks(a, s) for a, s in zip(asked, seen)]
        shares = {k: round(sum(r[k] for r in results) / len(results), 3) for k in results[0]}
        table.append({"row": row["name"], "pictures": len(results), **shares})
        print(table[-1], flush=True)
        Image.fromarray(contact_sheet(pictures[:40], 8)).save(args.runs / f"score-{row['name'].replace(' ', '-').replace(',', '')}.png")
        if adapter:
            adapter.detach()
    held = np.load(shards(args.data, "held")[0], mmap_mode="r")[: config["presets"][args.preset]["held_out"]]
    table.append({"row": "VAE round trip", "pictures": len(held), "psnr": round(psnr(pipe.vae, held), 2)})
    print(table[-1])
    (args.runs / "score.json").write_text(json.dumps(table, indent=2) + "\n")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["prompts", "run"])
    parser.add_argument("path", nargs="?", type=Path, default=HERE.parent / "score.json")
    parser.add_argument("--only", action="append")
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    if args.what == "prompts":
        args.path.write_text(one_a_line(prompts()))
    else:
        run(args, load_config(args.preset, args.size))


if __name__ == "__main__":
    main()
