"""Train the UNet, and the text encoder with it at a tenth of the rate, on the latents of the cache.

  python unet.py --minutes 13 --compile --cool

Goes on from its last checkpoint. The learning rate rises over `warmup` steps, stays, and with --cool falls to zero over the
minutes of this run: use it for the last run. A sheet of samples is drawn with the averaged weights every few minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

from cache import ready, wait_for_file, wait_until
from common import SHARD, Clock, Log, arguments, autocast, device, load_config, load_state, save_state
from layouts import layouts_of, scenes_of
from models import make_scheduler, make_text, make_unet, plain_attention
from picture.scene import COLOUR_NAMES, OBJECT_NAMES
from sampling import contact_sheet, draw_prompts
from team import Team
from tokenizer import encode, load_tokenizer
from vae import latent_file, load_average

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
    """Latents of the given splits, `side` across, with several captions each, on the device; drawn at random, none again until
    all were seen."""

    def __init__(self, data: Path, splits: list[str], side: int, seed: int, tokenizer, wanted=None, most: int | None = None):
        self.data, self.splits, self.side, self.wanted, self.most = data, splits, side, wanted, most
        self.files: list[Path] = []
        self.latents, self.ids, self.layouts = (torch.zeros(0) for _ in range(3))
        self.empty = encode(tokenizer, [""]).to(torch.int32).to(device())
        self.generator = torch.Generator(device()).manual_seed(seed)
        self.refresh()

    def refresh(self) -> None:
        """Adds the latents of shards that were encoded since. `wanted`: of these scenes only."""
        latents, ids, layouts = [], [], []
        for f in ready(self.data, self.splits):
            file = latent_file(f, self.side)
            if f in self.files or not file.exists() or (self.most and len(self) + sum(map(len, latents)) >= self.most):
                continue
            chosen = slice(None) if self.wanted is None else [k for k, s in enumerate(scenes_of(f)) if self.wanted(s)]
            self.files.append(f)
            if chosen == []:
                continue
            latents.append(torch.from_numpy(np.load(file)[chosen]).to(device()))
            ids.append(torch.from_numpy(np.load(f.with_suffix(".ids.npy"))[chosen].astype(np.int32)).to(device()))
            layouts.append(torch.from_numpy(layouts_of(f)[chosen]).to(device()))
        if not latents:
            return
        if len(self):
            latents, ids, layouts = [self.latents, *latents], [self.ids, *ids], [self.layouts, *layouts]
        self.latents, self.ids, self.layouts = torch.cat(latents), torch.cat(ids), torch.cat(layouts)
        self.order = torch.zeros(0, dtype=torch.long, device=device())

    def __len__(self) -> int:
        return len(self.latents)

    def batch(self, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents [n, 4, h, w], token ids [n, 77] and layouts [n, 3, 5]; a tenth of the captions are empty, for guidance."""
        g, dev = self.generator, device()
        while len(self.order) < n:
            self.order = torch.cat([self.order, torch.randperm(len(self), generator=g, device=dev)])
        chosen, self.order = self.order[:n], self.order[n:]
        way = torch.randint(self.ids.shape[1], (n,), generator=g, device=dev)
        drop = torch.rand(n, 1, generator=g, device=dev) < EMPTY_CAPTIONS
        ids = torch.where(drop, self.empty, self.ids[chosen, way]).long()
        return self.latents[chosen].float().contiguous(memory_format=torch.channels_last), ids, self.layouts[chosen]


class Pointing(nn.Module):
    """Asks of the features half-way up, at every place, which kind of thing lies there and in which colour.

    Only a teacher: the denoising loss alone takes long to find that a word decides a shape, because a shape is a small part of
    a picture's squared error. Not part of the model. (The idea is REPA's, Yu et al. 2024; here the true answer is known.)
    """

    def __init__(self, unet):
        super().__init__()
        block = unet.up_blocks[1]
        self.ask = nn.Conv2d(block.resnets[-1].out_channels, len(OBJECT_NAMES) + 1 + len(COLOUR_NAMES) + 1, 1)
        self.seen: list[torch.Tensor] = []
        block.register_forward_hook(lambda _block, _inputs, out: self.seen.append(out))

    def loss(self, layouts: torch.Tensor) -> torch.Tensor:
        """The mean over places of both cross-entropies; forgets the features."""
        said = self.ask(self.seen.pop().float())
        self.seen.clear()
        kinds, colours = places(layouts, said.shape[-1])
        of_kind, of_colour = said.split([len(OBJECT_NAMES) + 1, len(COLOUR_NAMES) + 1], 1)
        return F.cross_entropy(of_kind, kinds) + F.cross_entropy(of_colour, colours)


def places(layouts: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What lies at each of side x side places, as kinds and colours [n, side, side]; 0 is the ground."""
    at = (torch.arange(side, device=layouts.device) + 0.5) / side
    kinds = torch.zeros(len(layouts), side, side, dtype=torch.long, device=layouts.device)
    colours = torch.zeros_like(kinds)
    for thing in layouts.unbind(1):
        kind, colour, x, y, half = (v.view(-1, 1, 1) for v in thing.unbind(1))
        inside = ((at[None, None, :] - x) ** 2 + (at[None, :, None] - y) ** 2 < (0.85 * half) ** 2) & (kind >= 0)
        kinds = torch.where(inside, kind.long() + 1, kinds)
        colours = torch.where(inside, colour.long() + 1, colours)
    return kinds, colours


def timesteps(n: int, count: int, where: torch.device, evenly: float = 0.25) -> torch.Tensor:
    """A share evenly, the rest mostly high (logit-normal, median 0.67): there the text decides what the picture will be."""
    high = torch.sigmoid(0.7 + 1.2 * torch.randn(n, device=where))
    even = torch.rand(n, device=where)
    return (torch.where(torch.rand(n, device=where) < evenly, even, high) * count).long().clamp(max=count - 1)


def noised(z: torch.Tensor, alphas: torch.Tensor, t: torch.Tensor | None = None, evenly: float = 0.25):
    """Noisy latents, their timesteps and the v target (Salimans and Ho 2022)."""
    t = timesteps(len(z), len(alphas), z.device, evenly) if t is None else t
    a = alphas[t].view(-1, 1, 1, 1)
    noise = torch.randn_like(z)
    return a.sqrt() * z + (1 - a).sqrt() * noise, t, a.sqrt() * noise - (1 - a).sqrt() * z


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--cool", action="store_true")
    parser.add_argument("--look", type=float, default=3, help="minutes between sheets of samples")
    parser.add_argument("--wait", type=int, default=0, help="until so many shards are encoded")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--pointing", type=float, default=0.1, help="weight of the loss that asks where which thing lies; 0: none")
    parser.add_argument("--evenly", type=float, default=0.25, help="share of timesteps drawn evenly; more of it cleans up the paint")
    parser.add_argument("--things", type=int, default=3, help="only scenes of at most so many things: where time is short, begin with 1")
    args = parser.parse_args()
    config = load_config(args.preset, args.size)
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
    pointing = Pointing(unet).to(dev)
    if state and "pointing" in state:
        pointing.load_state_dict(state["pointing"])
    # text.py has taught the words; their table, most of the text encoder's weights, stays
    text.get_input_embeddings().requires_grad_(False)
    groups = [
        {"params": [*unet.parameters(), *pointing.parameters()], "scale": 1.0},
        {"params": [w for w in text.parameters() if w.requires_grad], "scale": 0.1},
    ]
    trained = [w for group in groups for w in group["params"]]
    optimiser = torch.optim.AdamW(groups, lr=p["lr"], betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    if state and "optimiser" in state:
        optimiser.load_state_dict(state["optimiser"])
    alphas = make_scheduler(config).alphas_cumprod.to(dev)
    seed = config["seed"] + step + 1_000_003 * team.rank
    if args.compile:
        unet.compile()

    def losses(z: torch.Tensor, ids: torch.Tensor, layouts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        noisy, t, target = noised(z, alphas, evenly=args.evenly)
        with autocast():
            hidden = text(ids).last_hidden_state
            prediction = unet(noisy, t, hidden, return_dict=False)[0]
        return F.mse_loss(prediction.float(), target), pointing.loss(layouts)

    if args.after:  # compile meanwhile
        z = torch.randn(p["batch"], config["vae"]["latent_channels"], side, side, device=dev).contiguous(memory_format=torch.channels_last)
        for _ in range(3):
            empty = encode(tokenizer, [""] * len(z)).to(dev)
            sum(losses(z, empty, torch.full((len(z), 3, 5), -1.0, device=dev))).backward()
        optimiser.zero_grad()
        print("ready", flush=True)
        wait_for_file(args.after)
    data = Latents(args.data, ["base"], side, seed, tokenizer, None if args.things == 3 else lambda s: len(s.things) <= args.things)

    def enough() -> bool:
        data.refresh()
        return len(data) >= args.wait * SHARD

    wait_until(enough, f"{args.wait} encoded shards")
    vae = load_average(args, config, preset)
    torch.manual_seed(seed)
    log, start, n, top = Log(args.runs, "unet"), step, p["batch"], args.rate or p["lr"]
    weights, averaged = list(unet.parameters()), list(average.parameters())
    print(f"{len(data)} latents")
    clock, seen, looked = Clock(args.minutes), [0.0, 0.0], 0.0

    def save() -> None:
        save_state(
            path, unet=unet.state_dict(), ema=average.state_dict(), text=text.state_dict(), pointing=pointing.state_dict(),
            optimiser=optimiser.state_dict(), step=step,
        )  # fmt: skip

    def look() -> None:
        pictures = draw_prompts(LOOK, tokenizer, text, average.eval(), vae, make_scheduler(config), batch=len(LOOK))
        Image.fromarray(contact_sheet(pictures, 4)).save(args.runs / f"look-{step:06d}.png")

    stop = False
    while step < p["steps"] and not stop:
        rate = top * min(1, (step - start + 1) / p["warmup"]) * (max(0.01, 1 - clock.done()) if args.cool else 1)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        loss, pointed = losses(*data.batch(n))
        optimiser.zero_grad()
        (loss + args.pointing * pointed).backward()
        stop = team.share(trained, clock.over())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        step += 1
        decay = min(p["ema"], (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(averaged, weights, 1 - decay)
        if step % 200 == 0:
            data.refresh()
        if not team.first:
            continue
        if step % 50 == 0:
            seen = [0.7 * a + 0.3 * b.item() if a else b.item() for a, b in zip(seen, (loss, pointed))]
            done = (step - start) * n * team.size
            log.write(step=step, loss=seen[0], pointing=seen[1], lr=rate, samples=done, seconds=clock.spent())
        if clock.spent() - looked > args.look * 60:
            looked = clock.spent()
            save(), look()
    if team.first:
        save(), look()


if __name__ == "__main__":
    main()
