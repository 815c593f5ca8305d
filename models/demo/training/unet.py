"""Train the UNet (and, with --joint, the text encoder with it) on the latents of the cache.

  python unet.py --minutes 60 --compile      `torchrun --standalone --nproc-per-node 2 unet.py ...` for two processes
  python unet.py --minutes 10 --joint        the text encoder learns too, at a tenth of the rate

Goes on from its last checkpoint. The learning rate rises over `warmup` steps, stays, and with --cool falls to zero over the
minutes of this run: use it for the last run. A sheet of samples is drawn with the averaged weights every few minutes.
"""

from __future__ import annotations

import json
import os
from multiprocessing import Pool

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from common import Clock, Log, Team, arguments, autocast, device, load_config, load_state, save_state, shards
from draw import scene_from_json
from models import make_scheduler, make_text, make_unet, plain_attention
from picture.scene import caption
from sampling import contact_sheet, draw_prompts
from tokenizer import encode, load_tokenizer
from vae import load_average

EMPTY_CAPTIONS = 0.1
LOOK = [
    "a red star by the sea, flat poster", "a blue fish on the grass, ink outline", "a yellow house at sunset, paper cut",
    "a green tree on the sand, soft watercolour", "a pink flower in the night sky, paper cut", "an orange cat on a plain background, flat poster",
    "a purple boat at sea, ink outline", "a white moon in the night sky, flat poster", "a black bird at sunset, soft watercolour",
    "a red mushroom on the grass, paper cut", "a blue cup on the sand, ink outline", "a pink heart by the sea, flat poster",
    "a red kite to the left of a blue cup on the grass, flat poster", "a yellow star above a purple house at night, paper cut",
    "a white cat on a red mushroom, ink outline", "a green circle and an orange fish by the sea, flat poster",
]  # fmt: skip


def _say(job: tuple) -> list[str]:
    scenes, say, seed, ways = job
    rng = np.random.default_rng(seed)
    return [say(s, rng) for s in scenes for _ in range(ways)]


class Latents:
    """Latents of the given splits with several captions each, all in memory; drawn at random, none again until all were seen."""

    WAYS = 6  # captions a scene

    def __init__(self, args, splits: list[str], seed: int, tokenizer, wanted=None, say=caption, most: int | None = None):
        scenes, parts = [], []
        for f in (f for split in splits for f in shards(args.data, split)):
            latent = f.with_suffix(".latent.npy")
            if latent.exists() and (most is None or len(scenes) < most):
                shard = [scene_from_json(d) for d in json.loads(f.with_suffix(".json").read_text())]
                chosen = [k for k, s in enumerate(shard) if wanted is None or wanted(s)]
                scenes += [shard[k] for k in chosen]
                parts.append(np.load(latent)[chosen])
        self.latents = torch.from_numpy(np.concatenate(parts)).to(device())
        jobs = [(scenes[k : k + 500], say, [seed, k], self.WAYS) for k in range(0, len(scenes), 500)]
        if (os.cpu_count() or 1) > 4:
            with Pool() as pool:
                texts = [t for some in pool.map(_say, jobs) for t in some]
        else:
            texts = [t for job in jobs for t in _say(job)]
        ids = torch.cat([encode(tokenizer, texts[k : k + 5000]) for k in range(0, len(texts), 5000)])
        self.ids = ids.view(len(scenes), self.WAYS, -1).to(torch.int32).to(device())
        self.empty = encode(tokenizer, [""]).to(torch.int32).to(device())
        self.generator = torch.Generator().manual_seed(seed)
        self.order = torch.zeros(0, dtype=torch.long)

    def __len__(self) -> int:
        return len(self.latents)

    def batch(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents [n, 4, h, w] and token ids [n, 77]; a tenth of the captions are empty, for guidance."""
        while len(self.order) < n:
            self.order = torch.cat([self.order, torch.randperm(len(self), generator=self.generator)])
        chosen, self.order = self.order[:n].to(self.ids.device), self.order[n:]
        way = torch.randint(self.WAYS, (n,), generator=self.generator).to(self.ids.device)
        drop = (torch.rand(n, 1, generator=self.generator) < EMPTY_CAPTIONS).to(self.ids.device)
        ids = torch.where(drop, self.empty, self.ids[chosen, way]).long()
        return self.latents[chosen].float().contiguous(memory_format=torch.channels_last), ids


def noised(z: torch.Tensor, alphas: torch.Tensor, t: torch.Tensor | None = None):
    """Noisy latents, their timesteps and the v target (Salimans and Ho 2022)."""
    t = torch.randint(0, len(alphas), (len(z),), device=z.device) if t is None else t
    a = alphas[t].view(-1, 1, 1, 1)
    noise = torch.randn_like(z)
    return a.sqrt() * z + (1 - a).sqrt() * noise, t, a.sqrt() * noise - (1 - a).sqrt() * z


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--joint", action="store_true")
    parser.add_argument("--cool", action="store_true")
    parser.add_argument("--look", type=float, default=8, help="minutes between sheets of samples")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--things", type=int, default=3, help="only scenes of at most so many things: start a short run with 1")
    parser.add_argument("--rate", type=float)
    args = parser.parse_args()
    config = load_config(args.preset)
    preset = config["presets"][args.preset]
    p, path, dev, team = preset["unet"], args.runs / "unet.pt", device(), Team()
    torch.manual_seed(config["seed"])
    side = preset["size"] // 2 ** (len(config["vae"]["channels"]) - 1)
    tokenizer, text = load_tokenizer(args.runs / "tokenizer"), make_text(config).to(dev)
    unet, average = make_unet(config, side).to(dev), make_unet(config, side).to(dev).requires_grad_(False)
    text.load_state_dict(load_state(args.runs / "text.pt")["text"])
    step, state = 0, load_state(path)
    if state:
        unet.load_state_dict(state["unet"])
        text.load_state_dict(state["text"])
        step = state["step"]
    average.load_state_dict(state["ema"] if state else unet.state_dict())
    if dev.type == "cpu":
        plain_attention(unet), plain_attention(average)
    text.requires_grad_(args.joint)
    groups = [{"params": list(unet.parameters()), "scale": 1.0}]
    if args.joint:
        groups.append({"params": list(text.parameters()), "scale": 0.1})
    optimiser = torch.optim.AdamW(groups, lr=p["lr"], betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    if state and len(state.get("optimiser", {"param_groups": []})["param_groups"]) == len(groups):
        optimiser.load_state_dict(state["optimiser"])
    scheduler = make_scheduler(config)
    alphas = scheduler.alphas_cumprod.to(dev)
    data = Latents(args, ["base"], config["seed"] + step + 1000003 * team.rank, tokenizer, lambda s: len(s.things) <= args.things)
    vae = load_average(args, config, preset)
    torch.manual_seed(config["seed"] + step + 1000003 * team.rank)
    model = torch.compile(unet) if args.compile else unet
    clock, log, seen, looked, start = Clock(args.minutes), Log(args.runs, "unet"), 0.0, 0.0, step
    n, top = args.batch or p["batch"], args.rate or p["lr"]

    def save() -> None:
        save_state(
            path, unet=unet.state_dict(), ema=average.state_dict(), text=text.state_dict(), optimiser=optimiser.state_dict(), step=step
        )

    def look() -> None:
        pictures = draw_prompts(LOOK, tokenizer, text.eval(), average.eval(), vae, make_scheduler(config), batch=len(LOOK))
        Image.fromarray(contact_sheet(pictures, 4)).save(args.runs / f"look-{step:06d}.png")

    stop = False
    while step < p["steps"] and not stop:
        rate = top * min(1, (step + 1) / p["warmup"])
        if args.cool:
            done = clock.spent() / clock.limit
            rate *= 0.02 + 0.98 * min(1, 1.0 - done) if done > 0.0 else 1
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        z, ids = data.batch(n // team.size)
        with torch.set_grad_enabled(args.joint):
            hidden = text(ids).last_hidden_state
        noisy, t, target = noised(z, alphas)
        with autocast():
            prediction = model(noisy, t, hidden).sample
        loss = F.mse_loss(prediction.float(), target)
        optimiser.zero_grad()
        loss.backward()
        stop = team.share([q for g in groups for q in g["params"]], clock.over())
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimiser.step()
        step += 1
        decay = min(p["ema"], (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(unet.parameters()), 1 - decay)
        value = loss.item() if step % 5 == 0 or not seen else seen
        seen = 0.95 * seen + 0.05 * value if seen else value
        if step % 25 == 0 and team.first:
            log.write(step=step, loss=seen, lr=rate, samples=(step - start) * n, seconds=clock.spent())
        if clock.spent() - looked > args.look * 60 and team.first:
            looked = clock.spent()
            save(), look()
    if team.first:
        save(), look()


if __name__ == "__main__":
    main()
