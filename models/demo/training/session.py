"""Everything from the first drawing to the adapters, in bounded minutes on one GPU.

  python session.py --minutes 11 --compile --from IN --out OUT

IN may hold what an earlier session packed (see carry.py): the text encoder, and what there is of an autoencoder and a judge. Stages
run beside each other where they can: while the autoencoder learns, all cores draw and the UNet is compiled; while the UNet learns,
shards that are drawn meanwhile are encoded, and the decoder and the judge have their turn. The adapters' processes are up and wait
when the UNet ends. Early on every adapter runs for two steps in a folder of its own: a mistake shows in the third minute, not in the
last. Whatever was reached is packed into OUT after every stage; a stage that fails is told and does not stop the others.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from adapters import RECIPES
from cache import wait_for
from carry import pack, unpack
from common import HERE, Clock, arguments, load_config

# Shares of the minutes by which each stage has ended.
ENDS = {"vae": 0.19, "judge": 0.37, "unet": 0.74, "adapters": 0.98}
DECODER = 0.1
FIRST_LATENTS = 6  # shards that the UNet begins with
PICTURES_KEPT = 45  # shards of a split; of those after, only the latents


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 2))
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    clock = Clock(args.minutes)
    data, runs, out = args.data.resolve(), args.runs.resolve(), args.out.resolve()
    trial = runs / "trial"
    preset = load_config(args.preset, args.size)["presets"][args.preset]
    compiled = ["--compile"] if args.compile else []
    size = ["--size", str(args.size)] if args.size else []
    logs: dict[int, Path] = {}
    for folder in (data, runs, out, trial):
        folder.mkdir(parents=True, exist_ok=True)

    def start(*command, where: Path = runs, name: str = "") -> subprocess.Popen:
        print(f"== {clock.spent():.0f} s:", *command, flush=True)
        words = [sys.executable, *map(str, command), "--preset", args.preset, *size, "--data", str(data), "--runs", str(where)]
        log = where / f"{name or Path(command[0]).stem}.out"
        with log.open("a") as out_of_it:
            process = subprocess.Popen(words, cwd=HERE, stdout=out_of_it, stderr=subprocess.STDOUT)
        logs[process.pid] = log
        return process

    def ended(process: subprocess.Popen, what: str) -> bool:
        well = process.wait() == 0
        print(f"== {clock.spent():.0f} s: {what} {'is done' if well else 'FAILED'}", flush=True)
        if not well:
            print(logs[process.pid].read_text()[-2000:], flush=True)
        return well

    def until(share: float) -> str:
        return f"{max(0.05, (clock.limit * share - clock.spent()) / 60):.2f}"

    if args.source and not (runs / "text.pt").exists():
        unpack(args.source.resolve(), runs)
    drawing = start("draw.py", "cache", "--workers", args.workers)
    unet = start("unet.py", *compiled, "--cool", "--after", runs / "vae.done", "--wait", min(FIRST_LATENTS, preset["scenes"] // 1000),
                 "--evenly", "0.3", "--minutes", until(ENDS["unet"] - ENDS["vae"]), "--look", "2")  # fmt: skip
    encoding = start("vae.py", "encode", "--follow", "--drop", PICTURES_KEPT, "--after", runs / "vae.done",
                     "--minutes", until(ENDS["unet"]), name="encode")  # fmt: skip
    if not ended(start("vae.py", "train", "--settle", *compiled, "--minutes", until(ENDS["vae"])), "the autoencoder"):
        drawing.kill(), encoding.kill(), unet.kill()
        raise SystemExit("without it nothing can go on")
    (runs / "vae.done").touch()
    try_adapters(start, ended, runs, trial, data)
    for split in ("judge", "repeats", "styles", "characters"):
        wait_for(data, split, min(6, preset["judge_scenes"] // 3000))
    judge = start("judge.py", "train", "--minutes", until(ENDS["judge"]))
    ended(judge, "the judge")
    decoder = start("vae.py", "train", "--decoder", *compiled, "--rate", "0.0006", "--minutes", f"{args.minutes * DECODER:.2f}",
                    name="decoder")  # fmt: skip
    ended(decoder, "the decoder")
    pack(runs, out)
    done = runs / "unet.done"
    adapters = {name: start("adapters.py", name, "--after", done, "--out", runs / "adapters", "--no-look", "--minutes",
                            f"{args.minutes * (ENDS['adapters'] - ENDS['unet']):.2f}", name=f"adapter-{name}") for name in RECIPES}  # fmt: skip
    ended(unet, "the UNet")
    done.touch()
    drawing.kill(), encoding.kill()
    pack(runs, out)
    print(f"== {clock.spent():.0f} s: packed all but the adapters", flush=True)
    for name, process in adapters.items():
        ended(process, name)
    pack(runs, out)
    print(f"== {clock.spent():.0f} s: packed", flush=True)


def try_adapters(start, ended, runs: Path, trial: Path, data: Path) -> None:
    """Two steps of each, on a UNet that has learned nothing."""
    for split in ("base", "styles", "characters", "extra"):
        wait_for(data, split, 1)
    shutil.copy(runs / "text.pt", trial / "text.pt"), shutil.copy(runs / "vae.pt", trial / "vae.pt")
    if ended(start("unet.py", "--wait", "1", "--minutes", "0.02", "--look", "100", where=trial), "a trial of the UNet"):
        several = {
            n: start("adapters.py", n, "--out", trial / "adapters", "--no-look", "--minutes", "0.05", where=trial, name=n) for n in RECIPES
        }
        print("trials:", {n: ended(p, f"a trial of {n}") for n, p in several.items()}, flush=True)


if __name__ == "__main__":
    main()
