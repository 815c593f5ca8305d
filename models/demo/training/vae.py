"""Train the autoencoder, measure it on held-out drawings, and encode the cache into latents.

python vae.py train --minutes 4             both halves
python vae.py train --decoder --minutes 2   the encoder frozen: latents already in use stay valid
python vae.py settle                        once, after the last change to the encoder: latents of mean 0, variance 1
python vae.py measure                       PSNR of the round trip, in dB
python vae.py encode                        latents beside every shard of the cache
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cache import Pictures, ready, reduce, wait_for, wait_for_file
from common import Clock, Log, arguments, autocast, device, load_config, load_state, save_state, shards
from models import make_vae
from team import Team

KL_WEIGHT = 1e-6


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [n, h, w, 3] -> float [n, 3, h, w] in [-1, 1]."""
    x = torch.from_numpy(np.array(pictures)).to(device())
    return (x.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


class Crops:
    """Random square crops of drawings, half of them mirrored, from whatever part of the cache is there yet."""

    def __init__(self, pictures: Pictures, crop: int, seed: int):
        self.pictures, self.crop = pictures, crop
        self.generator = torch.Generator(device()).manual_seed(seed)

    def batch(self, n: int) -> torch.Tensor:
        """float [n, 3, crop, crop] in [-1, 1]"""
        size, dev = self.pictures.store.shape[1], device()

        def whole(below: int) -> torch.Tensor:
            return torch.randint(below, (n,), generator=self.generator, device=dev)

        across = torch.arange(self.crop, device=dev)
        places = (size - self.crop) // 8 + 1
        y, x = whole(places)[:, None] * 8 + across, whole(places)[:, None] * 8 + across
        pictures = self.pictures.store[whole(self.pictures.count)[:, None, None], y[:, :, None], x[:, None, :]]
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
    optimiser = torch.optim.AdamW(trained, lr=args.rate or p["lr"], betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    average = {k: v.clone() for k, v in vae.state_dict().items()}
    if state:
        average.update({k: v.to(device()) for k, v in state["ema"].items()})
    before = Clock(args.minutes)
    if args.compile:
        vae.encoder.compile(), vae.decoder.compile()
        with autocast():
            x = torch.rand(p["batch"], 3, p["crop"], p["crop"], device=device()).contiguous(memory_format=torch.channels_last)
            vae.decode(vae.encode(x).latent_dist.sample()).sample.float().mean().backward()
        optimiser.zero_grad()
    wait_for(args.data, "held", 1), wait_for(args.data, "base", 1)
    # The adapters' styles are hardest to decode: the decoder, trained last, sees more of them.
    pictures = Pictures(args.data, ["base", "extra", "styles"] if args.decoder else ["base", "extra"], p["pictures"])
    pictures.refresh()
    seed = config["seed"] + step + 1_000_003 * team.rank
    source = Crops(pictures, p["crop"], seed)
    torch.manual_seed(seed)
    log, start = Log(args.runs, "vae"), step
    held = np.load(shards(args.data, "held")[0], mmap_mode="r")[:50]
    weights, averaged = list(vae.state_dict().values()), list(average.values())
    clock, looked, seen = Clock(args.minutes - before.spent() / 60), 0.0, 0.0

    def save() -> None:
        save_state(path, vae=vae.state_dict(), ema=average, colours=colours.state_dict(), step=step)

    def look() -> None:
        copy = make_vae(config, preset["size"]).to(device())
        copy.load_state_dict(average)
        log.write(step=step, psnr=psnr(copy.eval(), held), pictures=pictures.count, seconds=clock.spent())

    stop = False
    while step - start < args.steps and not stop:
        rate = (args.rate or p["lr"]) * min(1, (step - start + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * clock.done())) + 1e-6
        for group in optimiser.param_groups:
            group["lr"] = rate
        x = source.batch(p["batch"])
        with autocast():
            q = vae.encode(x).latent_dist
            # a little noise, as a denoised latent has
            y = vae.decode(q.mean + 0.03 * torch.randn_like(q.mean) if args.decoder else q.sample()).sample
        y = y.float()
        (ex, ey), (dx, dy) = edges(x), edges(y)
        loss = F.l1_loss(y, x) + 4 * F.mse_loss(y, x) + 0.5 * (F.l1_loss(dx, ex) + F.l1_loss(dy, ey))
        # Colours of flat areas: small beside the edges in the sums above, and the first thing an eye sees.
        flat = F.avg_pool2d(x, pool)
        loss = loss + F.l1_loss(F.avg_pool2d(y, pool), flat)
        if not args.decoder:
            loss = loss + KL_WEIGHT * q.kl().mean() + F.mse_loss(colours(q.mean.float()), flat)
        optimiser.zero_grad()
        loss.backward()
        stop = team.share(trained, clock.over())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        step += 1
        decay = min(0.998, (step - start + 1) / (step - start + 20))
        with torch.no_grad():
            torch._foreach_lerp_(averaged, weights, 1 - decay)
        if step % 50 == 0:
            pictures.refresh()
        if not team.first:
            continue
        if step % 50 == 0:
            seen = 0.7 * seen + 0.3 * loss.item() if seen else loss.item()
            log.write(step=step, loss=seen, lr=rate, samples=(step - start) * p["batch"] * team.size, seconds=clock.spent())
        if clock.spent() - looked > args.look * 60:
            looked = clock.spent()
            save(), look()
    if team.first:
        save(), look()
        if args.settle:
            settle(args, config, preset)


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


def latent_file(shard: Path, side: int) -> Path:
    """Where the latents of a shard lie, `side` of them across."""
    return shard.with_suffix(f".latent-{side}.npy")


def encode(args, config: dict, preset: dict) -> None:
    """Write the shards' latents, float16 [n, 4, side, side]: the mean. A --size below the cache's reduces the drawings first.
    With --follow, also of those that are still being drawn, until the minutes are over."""
    if args.after:
        wait_for_file(args.after)
    vae, clock = load_average(args, config, preset), Clock(args.minutes)
    side = preset["size"] // 2 ** (len(config["vae"]["channels"]) - 1)
    while True:
        todo = [f for f in ready(args.data, ["base", "extra", "styles", "characters"]) if not latent_file(f, side).exists()]
        for f in todo:
            encode_shard(vae, f, latent_file(f, side), preset["size"])
            if args.drop is not None and int(f.stem.rsplit("-", 1)[1]) >= args.drop:
                os.truncate(f, 0)
        if not args.follow or clock.over():
            break
        if not todo:
            time.sleep(0.5)
    print(f"encoded in {clock.spent():.0f} s")


def encode_shard(vae, shard: Path, target: Path, size: int) -> None:
    pictures, out = np.load(shard), []
    if pictures.shape[1] != size:
        pictures = reduce(torch.from_numpy(pictures), size).numpy()
    with torch.no_grad(), autocast():
        for k in range(0, len(pictures), 50):
            out.append(vae.encode(to_tensor(pictures[k : k + 50])).latent_dist.mean.half().cpu().numpy())
    temp = target.with_suffix(".tmp.npy")
    np.save(temp, np.concatenate(out))
    os.replace(temp, target)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["train", "settle", "measure", "encode"])
    parser.add_argument("--decoder", action="store_true")
    parser.add_argument("--settle", action="store_true", help="settle at the end of training")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--look", type=float, default=0.75, help="minutes between measurements")
    parser.add_argument("--steps", type=float, default=math.inf)
    parser.add_argument("--follow", action="store_true", help="encode what is drawn meanwhile, too")
    parser.add_argument("--drop", type=int, help="empty the pictures of shards from this number on, once they are encoded")
    args = parser.parse_args()
    config = load_config(args.preset, args.size)
    {"train": train, "settle": settle, "measure": measure, "encode": encode}[args.what](args, config, config["presets"][args.preset])


if __name__ == "__main__":
    main()
