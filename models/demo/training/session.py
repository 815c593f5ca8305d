"""Everything from the first drawing to the scored adapters, in bounded minutes on one GPU.

  python session.py --minutes 25 --out OUT --from IN

IN may hold what an earlier session packed (see carry.py). Stages that need each other's results wait for them; what does not
runs beside. While the autoencoder learns, every later stage runs
once for a few steps in a folder of its own: a mistake shows in the third minute, not in the last, and compiled kernels are
ready when they are needed. Whatever was reached is packed into OUT after every stage.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from cache import wait_for
from carry import pack, unpack
from common import HERE, Clock, arguments, load_config
from draw import shards_wanted

# Shares of the minutes by which each stage has ended.
ENDS = {"vae": 0.16, "unet": 0.68, "adapters": 0.88}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 3))
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    clock = Clock(args.minutes)
    data, runs, out, trial = args.data.resolve(), args.runs.resolve(), args.out.resolve(), args.runs.resolve() / "trial"
    preset = load_config(args.preset, args.size)["presets"][args.preset]
    compiled = ["--compile"] if args.compile else []
    runs.mkdir(parents=True, exist_ok=True), out.mkdir(parents=True, exist_ok=True)

    size = ["--size", str(args.size)] if args.size else []

    def start(*command, where: Path = runs, quiet: bool = False) -> subprocess.Popen:
        print(f"== {clock.spent():.0f} s:", *command, flush=True)
        words = [sys.executable, *map(str, command), "--preset", args.preset, *size, "--data", str(data), "--runs", str(where)]
        log = (where / f"{Path(command[0]).stem}.out").open("a") if quiet else None
        return subprocess.Popen(words, cwd=HERE, stdout=log, stderr=subprocess.STDOUT if quiet else None)

    def stage(*command, where: Path = runs, quiet: bool = False) -> None:
        if start(*command, where=where, quiet=quiet).wait() != 0:
            if quiet:
                print((where / f"{Path(command[0]).stem}.out").read_text()[-4000:], flush=True)
            raise SystemExit(f"{' '.join(map(str, command))} failed")

    def until(name: str) -> str:
        return f"{max(0.05, (clock.limit * ENDS[name] - clock.spent()) / 60):.2f}"

    if args.source and not (runs / "text.pt").exists():
        unpack(args.source.resolve(), runs)
    drawing = start("draw.py", "cache", "--workers", args.workers, quiet=True)
    text = None if (runs / "text.pt").exists() else start("text.py", "--minutes", until("vae"), quiet=True)
    try:
        first = min(4, preset["scenes"] // 1000)
        wait_for(data, "base", first), wait_for(data, "extra", 1), wait_for(data, "held", 1)
        vae = None if (runs / "unet.pt").exists() else start("vae.py", "train", *compiled, "--minutes", until("vae"))
        if not (trial / "done").exists():
            try_later_stages(stage, trial, compiled)
            print(f"== {clock.spent():.0f} s: every later stage has run once", flush=True)
        if vae is not None:
            if vae.wait() != 0:
                raise SystemExit("vae.py failed")
            for split in ("base", "extra", "styles", "characters"):
                wait_for(data, split, shards_wanted(preset)[split])
            for f in data.glob("*.latent-*.npy"):
                f.unlink()  # the trial's
            stage("vae.py", "settle")
        if text is not None and text.wait() != 0:
            raise SystemExit("text.py failed")
        pack(runs, out)
        stage("vae.py", "measure")
        stage("vae.py", "encode")
        unet = start("unet.py", *compiled, "--cool", "--minutes", until("unet"))
        if drawing.wait() != 0:
            raise SystemExit("draw.py failed")
        if not (runs / "judge.pt").exists():
            stage("judge.py", "train", "--minutes", f"{args.minutes * 0.08:.2f}")
        if unet.wait() != 0:
            raise SystemExit("unet.py failed")
        pack(runs, out)
        decoder = start("vae.py", "train", "--decoder", "--rate", "0.0005", "--minutes", f"{args.minutes * 0.09:.2f}")
        stage("adapters.py", "all", "--out", runs / "adapters", "--minutes", until("adapters"), quiet=True)
        decoder.wait()
        stage("vae.py", "measure")
        pack(runs, out)
        shutil.copytree(runs / "adapters", HERE.parent / "adapters", dirs_exist_ok=True)
        stage("export.py", HERE.parent)
        stage("score.py", "run")
    finally:
        drawing.kill()
        if (runs / "text.pt").exists():
            pack(runs, out)
        print(f"packed after {clock.spent():.0f} s", flush=True)


def try_later_stages(stage, trial: Path, compiled: list[str]) -> None:
    trial.mkdir(parents=True, exist_ok=True)
    short = ["--minutes", "0.1"]
    stage("text.py", *short, where=trial, quiet=True)
    stage("vae.py", "train", "--steps", "2", where=trial, quiet=True)
    stage("vae.py", "settle", where=trial, quiet=True)
    stage("vae.py", "encode", "--most", "2", where=trial, quiet=True)
    stage("unet.py", *compiled, "--cool", *short, where=trial, quiet=True)
    stage("adapters.py", "all", "--out", trial / "adapters", "--minutes", "0.05", where=trial, quiet=True)
    stage("vae.py", "train", "--decoder", "--steps", "2", where=trial, quiet=True)
    pack(trial, trial / "out")
    (trial / "done").touch()


if __name__ == "__main__":
    main()
