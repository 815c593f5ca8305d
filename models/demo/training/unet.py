"""Train the UNet, and the text encoder with it at a tenth of the rate, on the latents of the cache.

  python unet.py --minutes 13 --compile --cool

Goes on from its last checkpoint. The learning rate rises over `warmup` steps, stays, and with --cool falls to zero over the
minutes of this run: use it for the last run. A sheet of samples is drawn with the averaged weights every few minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from cache import ready, scenes_of
from common import Clock, Log, arguments, autocast, device, load_config, load_state, save_state
from models import make_scheduler, make_text, make_unet, plain_attention
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


class Latents:
    """Latents of the given splits with several captions each, on the device; drawn at random, none again until all were seen."""

    def __init__(self, data: Path, splits: list[str], seed: int, tokenizer, wanted=None, most: int | None = None):
        latents, ids = [], []
        for f in ready(data, splits):
            file = f.with_suffix(".latent.npy")
            if file.exists() and (most is None or sum(map(len, latents)) < most):
                chosen = slice(None) if wanted is None else [k for k, s in enumerate(scenes_of(f)) if wanted(s)]
                latents.append(np.load(file)[chosen])
                ids.append(np.load(f.with_suffix(".ids.npy"))[chosen].astype(np.int32))
        self.latents = torch.from_numpy(np.concatenate(latents)).to(device())
        self.ids = torch.from_numpy(np.concatenate(ids)).to(device())
        self.empty = encode(tokenizer, [""]).to(torch.int32).to(device())
        self.generator = torch.Generator(device()).manual_seed(seed)
        self.order = torch.zeros(0, dtype=torch.long, device=device())

    def __len__(self) -> int:
        return len(self.latents)

    def batch(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents [n, 4, h, w] and token ids [n, 77]; a tenth of the captions are empty, for guidance."""
        g, dev = self.generator, device()
        while len(self.order) < n:
            self.order = torch.cat([self.order, torch.randperm(len(self), generator=g, device=dev)])
        chosen, self.order = self.order[:n], self.order[n:]
        way = torch.randint(self.ids.shape[1], (n,), generator=g, device=dev)
        drop = torch.rand(n, 1, generator=g, device=dev) < EMPTY_CAPTIONS
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
    parser.add_argument("--cool", action="store_true")
    parser.add_argument("--look", type=float, default=3, help="minutes between sheets of samples")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--things", type=int, default=3, help="only scenes of at most so many things: where time is short, begin with 1")
    args = parser.parse_args()
    config = load_config(args.preset, args.size)
    preset = config["presets"][args.preset]
    p, path, dev = preset["unet"], args.runs / "unet.pt", device()
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
    groups = [{"params": list(unet.parameters()), "scale": 1.0}, {"params": list(text.parameters()), "scale": 0.1}]
    optimiser = torch.optim.AdamW(groups, lr=p["lr"], betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    if state and "optimiser" in state:
        optimiser.load_state_dict(state["optimiser"])
    alphas = make_scheduler(config).alphas_cumprod.to(dev)
    data = Latents(args.data, ["base"], config["seed"] + step, tokenizer, lambda s: len(s.things) <= args.things)
    vae = load_average(args, config, preset)
    torch.manual_seed(config["seed"] + step)
    if args.compile:
        unet.compile()
    log, start, n, top = Log(args.runs, "unet"), step, p["batch"], args.rate or p["lr"]
    weights, averaged = list(unet.parameters()), list(average.parameters())
    print(f"{len(data)} latents")
    clock, seen, looked = Clock(args.minutes), 0.0, 0.0

    def save() -> None:
        save_state(
            path, unet=unet.state_dict(), ema=average.state_dict(), text=text.state_dict(), optimiser=optimiser.state_dict(), step=step
        )

    def look() -> None:
        pictures = draw_prompts(LOOK, tokenizer, text, average.eval(), vae, make_scheduler(config), batch=len(LOOK))
        Image.fromarray(contact_sheet(pictures, 4)).save(args.runs / f"look-{step:06d}.png")

    while step < p["steps"] and not clock.over():
        rate = top * min(1, (step - start + 1) / p["warmup"]) * (max(0.01, 1 - clock.done()) if args.cool else 1)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        z, ids = data.batch(n)
        hidden = text(ids).last_hidden_state
        noisy, t, target = noised(z, alphas)
        with autocast():
            prediction = unet(noisy, t, hidden, return_dict=False)[0]
        loss = F.mse_loss(prediction.float(), target)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        step += 1
        decay = min(p["ema"], (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(averaged, weights, 1 - decay)
        if step % 50 == 0:
            seen = 0.7 * seen + 0.3 * loss.item() if seen else loss.item()
            log.write(step=step, loss=seen, lr=rate, samples=(step - start) * n, seconds=clock.spent())
        if clock.spent() - looked > args.look * 60:
            looked = clock.spent()
            save(), look()
    save(), look()


if __name__ == "__main__":
    main()
