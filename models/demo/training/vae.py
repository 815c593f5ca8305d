"""Train the autoencoder, measure it on held-out drawings, and encode the cache into latents.

python vae.py train --minutes 15            both halves; `torchrun --standalone --nproc-per-node 2 vae.py ...` for two processes
python vae.py train --decoder --minutes 5   the encoder frozen: latents already in use stay valid
python vae.py settle                        once, after the last change to the encoder: latents of mean 0, variance 1
python vae.py measure                       PSNR of the round trip, in dB
python vae.py encode                        latents beside every shard of the cache
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from common import Clock, Log, Team, arguments, autocast, device, load_config, load_state, save_state, shards
from models import make_vae

KL_WEIGHT = 1e-6


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [n, h, w, 3] -> float [n, 3, h, w] in [-1, 1]."""
    x = torch.from_numpy(np.array(pictures)).to(device())
    return (x.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


class Crops:
    """Random square crops of the cache, half of them mirrored. With a GPU every drawing lies in its memory; else on disk,
    and drawings that are still being added are found."""

    def __init__(self, data, seed: list[int]):
        self.data, self.rng, self.all = data, np.random.default_rng(seed), None
        if device().type == "cuda":
            self.all = torch.cat([torch.from_numpy(np.load(f)).to(device()) for f in self.files()])

    def files(self) -> list:
        return shards(self.data, "base") + shards(self.data, "extra")

    def batch(self, n: int, crop: int) -> torch.Tensor:
        out = []
        files = [] if self.all is not None else self.files()
        for _ in range(n):
            some = self.all if self.all is not None else np.load(files[int(self.rng.integers(len(files)))], mmap_mode="r")
            k, y, x = int(self.rng.integers(len(some))), *(int(v) for v in self.rng.integers(0, (some.shape[1] - crop) // 8 + 1, 2) * 8)
            p = some[k, y : y + crop, x : x + crop]
            out.append(p if self.all is not None else torch.from_numpy(np.array(p)))
        pictures = torch.stack(out).to(device())
        pictures = torch.cat([pictures[: n // 2], pictures[n // 2 :].flip(2)])
        return (pictures.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def edges(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def psnr(vae, pictures: np.ndarray) -> float:
    """Of the round trip through the mean latent, in dB, the mean over pictures."""
    values = []
    with torch.no_grad():
        for k in range(0, len(pictures), 25):
            x = to_tensor(pictures[k : k + 25])
            y = vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1)
            mse = ((x - y) / 2).pow(2).flatten(1).mean(1)
            values += (-10 * torch.log10(mse)).tolist()
    return sum(values) / len(values)


def train(args, config: dict, preset: dict) -> None:
    p, path, team = preset["vae"], args.runs / "vae.pt", Team()
    torch.manual_seed(config["seed"])
    vae = make_vae(config, preset["size"]).to(device())
    state = load_state(path)
    step = 0
    if state:
        vae.load_state_dict(state["vae"])
        step = state["step"]
    trained = list(vae.parameters())
    if args.decoder:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
        trained = [q for q in vae.parameters() if q.requires_grad]
    # Asks that the flat colours can be read off a latent by one matrix. Without it a short run lets an axis of colour go
    # (green against purple), since edges pay more; and the UNet learns such latents sooner. Not part of the model.
    colours = torch.nn.Conv2d(config["vae"]["latent_channels"], 3, 1).to(device())
    pool = 2 ** (len(config["vae"]["channels"]) - 1)
    if state and "colours" in state:
        colours.load_state_dict(state["colours"])
    if not args.decoder:
        trained += list(colours.parameters())
    optimiser = torch.optim.AdamW(trained, lr=args.rate or p["lr"], betas=(0.9, 0.99), weight_decay=0.0)
    key = "decoder_optimiser" if args.decoder else "optimiser"
    if state and key in state and "colours" in state:
        optimiser.load_state_dict(state[key])
    average = {k: v.clone() for k, v in vae.state_dict().items()}
    if state:
        average.update(state["ema"])
    source = Crops(args.data, [config["seed"], step, team.rank])
    torch.manual_seed(config["seed"] + step + team.rank)
    clock, log, seen = Clock(args.minutes), Log(args.runs, "vae"), 0.0
    held = np.load(shards(args.data, "held")[0], mmap_mode="r")[:50]
    start = step

    def save() -> None:
        save_state(path, vae=vae.state_dict(), ema=average, colours=colours.state_dict(), step=step, **{key: optimiser.state_dict()})

    stop = False
    while step < p["steps"] + (start if args.decoder else 0) and not stop:
        done = clock.spent() / clock.limit if args.minutes < 1e6 else step / p["steps"]
        rate = (args.rate or p["lr"]) * min(1, (step - start + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * min(1, done))) + 1e-6
        for group in optimiser.param_groups:
            group["lr"] = rate
        x = source.batch(p["batch"] // team.size, p["crop"])
        with autocast():
            q = vae.encode(x).latent_dist
            y = vae.decode(q.mean if args.decoder else q.sample()).sample
        y = y.float()
        (ex, ey), (dx, dy) = edges(x), edges(y)
        loss = F.l1_loss(y, x) + 2 * F.mse_loss(y, x) + 0.5 * (F.l1_loss(dx, ex) + F.l1_loss(dy, ey))
        # Colours of flat areas: small beside the edges in the sums above, and the first thing an eye sees.
        flat = F.avg_pool2d(x, pool)
        loss = loss + F.l1_loss(F.avg_pool2d(y, pool), flat)
        if not args.decoder:
            loss = loss + KL_WEIGHT * q.kl().mean() + 4 * F.mse_loss(colours(q.mean.float()), flat)
        optimiser.zero_grad()
        loss.backward()
        stop = team.share(trained, clock.over())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        step += 1
        seen = 0.98 * seen + 0.02 * loss.item() if seen else loss.item()
        decay = min(0.995, (step - start + 1) / (step - start + 20))
        with torch.no_grad():
            for k, v in vae.state_dict().items():
                average[k].lerp_(v, 1 - decay)
        if step % 50 == 0 and team.first:
            log.write(step=step, loss=seen, lr=rate, seconds=clock.spent())
        if step % 400 == 0 and team.first:
            save()
            copy = make_vae(config, preset["size"]).to(device())
            copy.load_state_dict(average)
            log.write(step=step, psnr=psnr(copy.eval(), held), seconds=clock.spent())
    if team.first:
        save()


def load_average(args, config: dict, preset: dict):
    vae = make_vae(config, preset["size"]).to(device())
    state = load_state(args.runs / "vae.pt")
    assert state, "train the autoencoder first"
    vae.load_state_dict(state["ema"])
    return vae.eval().requires_grad_(False)


def settle(args, config: dict, preset: dict) -> None:
    """Fold into quant_conv an affine map that gives latents of mean 0 and identity covariance, and its inverse into
    post_quant_conv; so scaling_factor is 1 and the round trip is unchanged. The encoder's spread becomes a constant."""
    vae = load_average(args, config, preset)
    pictures = np.concatenate([np.load(f, mmap_mode="r")[:100] for f in shards(args.data, "base")[:8]])
    with torch.no_grad():
        z = torch.cat([vae.encode(to_tensor(pictures[k : k + 25])).latent_dist.mean for k in range(0, len(pictures), 25)])
        c = z.shape[1]
        flat = z.permute(1, 0, 2, 3).reshape(c, -1).double()
        mean, cov = flat.mean(1), torch.cov(flat)
        values, vectors = torch.linalg.eigh(cov)
        white = vectors @ torch.diag(values.rsqrt()) @ vectors.T
        back = vectors @ torch.diag(values.sqrt()) @ vectors.T
        quant, post = vae.quant_conv, vae.post_quant_conv
        w, b = quant.weight[:c, :, 0, 0].double(), quant.bias[:c].double()
        quant.weight.zero_()
        quant.weight[:c, :, 0, 0] = (white @ w).float()
        quant.bias[:c] = (white @ (b - mean)).float()
        quant.bias[c:] = 2 * math.log(0.03)
        pw = post.weight[:, :, 0, 0].double()
        post.bias += (pw @ mean).float()
        post.weight[:, :, 0, 0] = (pw @ back).float()
    state = load_state(args.runs / "vae.pt")
    weights = vae.state_dict()
    save_state(args.runs / "vae.pt", vae=weights, ema=weights, step=state["step"])


def measure(args, config: dict, preset: dict) -> None:
    vae = load_average(args, config, preset)
    for split in ("held", "held-extra"):
        pictures = np.load(shards(args.data, split)[0], mmap_mode="r")[: preset["held_out"]]
        print(f"{split}: {psnr(vae, pictures):.2f} dB over {len(pictures)} drawings")


def encode(args, config: dict, preset: dict) -> None:
    """Write `<shard>.latent.npy`, float16 [n, 4, h, w] (the mean; what is drawn twice a run is enough variety)."""
    vae, clock = load_average(args, config, preset), Clock(args.minutes)
    for k, f in enumerate(shards(args.data, "base") + shards(args.data, "extra")):
        target = f.with_suffix(".latent.npy")
        if target.exists() or k % args.of != args.part:
            continue
        pictures, out = np.load(f, mmap_mode="r"), []
        with torch.no_grad(), autocast():
            for k in range(0, len(pictures), 50):
                out.append(vae.encode(to_tensor(pictures[k : k + 50])).latent_dist.mean.float().cpu().numpy().astype(np.float16))
        np.save(target, np.concatenate(out))
        print(target.name, flush=True)
        if clock.over():
            break


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["train", "settle", "measure", "encode"])
    parser.add_argument("--decoder", action="store_true")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--part", type=int, default=0, help="encode every --of-th shard from this one on, beside another process")
    parser.add_argument("--of", type=int, default=1)
    args = parser.parse_args()
    config = load_config(args.preset)
    {"train": train, "settle": settle, "measure": measure, "encode": encode}[args.what](args, config, config["presets"][args.preset])


if __name__ == "__main__":
    main()
