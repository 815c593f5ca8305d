"""Move training between machines: the averaged weights in fp16, the judge, the adapters and what was logged.

  python carry.py resume            make the runs folder's checkpoints from the exported model (../unet, ../vae, ../text_encoder)
  python carry.py pack FOLDER       files of at most 15 MB: weights-*.safetensors, adapters.tar, report.tar
  python carry.py unpack FOLDER     the other way round

Optimiser states are left behind: Adam finds its moments again within the first hundred steps, under the warm-up.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from common import HERE, arguments, load_state, save_state

PIECE = 15_000_000


def collect(runs: Path) -> dict[str, torch.Tensor]:
    unet, vae = load_state(runs / "unet.pt"), load_state(runs / "vae.pt")
    judge = load_state(runs / "judge.pt")
    parts = {
        "vae": vae["ema"] if vae else {},
        "unet": unet["ema"] if unet else {},
        "text": (unet or load_state(runs / "text.pt"))["text"],
        "judge": judge["judge"] if judge else {},
    }
    tensors = {
        f"{part}/{k}": (v.half() if v.is_floating_point() else v).contiguous()
        for part, weights in parts.items()
        for k, v in weights.items()
    }
    steps = [state["step"] if state else 0 for state in (unet, vae)]
    return tensors | {"steps": torch.tensor(steps)}


def restore(tensors: dict[str, torch.Tensor], runs: Path) -> None:
    def part(name: str) -> dict[str, torch.Tensor]:
        return {k.split("/", 1)[1]: v.float() if v.is_floating_point() else v for k, v in tensors.items() if k.startswith(f"{name}/")}

    unet_steps, vae_steps = tensors["steps"].tolist()
    unet, vae, text = part("unet"), part("vae"), part("text")
    if vae:
        save_state(runs / "vae.pt", vae=vae, ema=vae, step=vae_steps)
    save_state(runs / "text.pt", text=text, step=0)
    if part("judge"):
        save_state(runs / "judge.pt", judge=part("judge"), step=0)
    if unet:
        save_state(runs / "unet.pt", unet=unet, ema=unet, text=text, step=unet_steps)


def resume(folder: Path, runs: Path) -> None:
    tensors = {"steps": torch.tensor([0, 0])}
    for part, name in (("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model"), ("text_encoder", "model")):
        weights = load_file(str(folder / part / f"{name}.safetensors"))
        tensors |= {f"{part.removesuffix('_encoder')}/{k.removeprefix('text_model.')}": v for k, v in weights.items()}
    restore(tensors, runs)


def pack(runs: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pieces: list[dict[str, torch.Tensor]] = [{}]
    for name, tensor in collect(runs).items():
        if sum(t.nbytes for t in pieces[-1].values()) + tensor.nbytes > PIECE:
            pieces.append({})
        pieces[-1][name] = tensor
    for k, piece in enumerate(pieces):
        save_file(piece, str(folder / f"weights-{k}.safetensors"))
    if (runs / "adapters").exists():
        bundle(folder / "adapters.tar", sorted((runs / "adapters").glob("*.safetensors")))
    bundle(folder / "report.tar", sorted(f for kind in ("*.png", "*.jsonl", "*.json", "*.out") for f in runs.glob(kind)))


def bundle(target: Path, files: list[Path]) -> None:
    with tarfile.open(target, "w") as tar:
        for f in files:
            tar.add(f, f.name)


def unpack(folder: Path, runs: Path) -> None:
    tensors: dict[str, torch.Tensor] = {}
    for piece in sorted(folder.glob("weights-*.safetensors")):
        tensors |= load_file(str(piece))
    restore(tensors, runs)
    for name, target in (("adapters.tar", runs / "adapters"), ("report.tar", runs)):
        if (folder / name).exists():
            with tarfile.open(folder / name) as tar:
                tar.extractall(target, filter="data")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["resume", "pack", "unpack"])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent)
    args = parser.parse_args()
    if args.what == "resume":
        resume(args.folder, args.runs)
    elif args.what == "pack":
        pack(args.runs, args.folder)
    else:
        unpack(args.folder, args.runs)


if __name__ == "__main__":
    main()
