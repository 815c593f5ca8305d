"""Train the adapters on the finished base: two characters, three styles, guidance in one row, and few steps.

  python adapters.py robot --minutes 4        or fox, neon, mosaic, crosshatch, guidance, few-step
  python adapters.py all --minutes 4          all of them side by side

The base's weights never change. File formats are mixed on purpose: see RECIPES. A recipe's `preset` goes into the metadata,
where Impasto reads which settings a distilled adapter wants (`models/adapters/distillation.ts`).
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

from cache import wait_for_file
from common import HERE, Clock, Log, arguments, autocast, device, load_config, load_state
from layouts import character_kind
from lora import CONVOLUTION, TEXT, TRANSFORMER, Adapter, Hadamard, LowRank, read, write
from models import make_scheduler, make_text, make_unet, plain_attention
from picture.scene import TRIGGERS, Scene
from picture.styles import ADAPTER_STYLES
from sampling import contact_sheet, draw_prompts
from tokenizer import encode, load_tokenizer
from unet import Latents, noised
from vae import load_average

GUIDANCE = 4.0
FEW_STEPS = 4
AVERAGE = 0.99  # of the weights, over the last hundred steps: batches are small, and their noise would show in the paint
BASE = "impasto-demo"
LARGE = ("down_blocks.0", "down_blocks.1", "up_blocks.2", "up_blocks.3")  # where the picture is large

RECIPES = {
    "robot": {"keys": "kohya", "rank": 8, "conv": 4, "blocks": LARGE, "text": True,
              "description": "One robot: teal coat, mustard arms and feet, coral heart and antenna. A LoCon: it changes convolutions too."},
    "fox": {"keys": "peft", "rank": 8, "conv": 4, "blocks": LARGE,
            "description": "One fox: orange coat, dark ear tips, a star on the brow and a blue scarf. It changes convolutions too."},
    "neon": {"keys": "kohya", "rank": 4, "conv": 4, "description": "Glowing tubes of light on a dark wall. A LoCon: it changes convolutions too."},
    "mosaic": {"keys": "kohya", "rank": 4, "kind": Hadamard, "conv": 7, "blocks": LARGE,
               "attention": ("down_blocks.1", "down_blocks.2", "up_blocks"),
               "description": "Tiles of one colour each with grey grout. A LoHa, of convolutions too where the picture is large."},
    "crosshatch": {"keys": "peft", "rank": 5, "conv": 5, "description": "Coloured pencil hatching on white paper."},
    "guidance": {"keys": "peft", "rank": 8, "description": f"Gives in one row what guidance {GUIDANCE:g} gives in two. Draw with guidance 1; negative prompts have no effect.",
                 "preset": {"impasto.kind": "guidance", "impasto.steps": "20", "impasto.guidance": "1"}},
    "few-step": {"keys": "kohya", "rank": 8, "description": f"Draws in {FEW_STEPS} steps with the LCM scheduler and guidance 1.",
                 "preset": {"impasto.kind": "lcm-lora", "impasto.steps": str(FEW_STEPS), "impasto.guidance": "1"}},
}  # fmt: skip


def trigger_of(name: str) -> str:
    return TRIGGERS.get(name) or (f"{name} style" if name in ADAPTER_STYLES else "")


def data_for(name: str, args, seed: int, side: int, tokenizer) -> tuple[Latents, Latents | None]:
    """What the adapter is to learn, and for a character the base's own scenes that it must leave alone: a style takes all.

    With `--company` three of four scenes in which a character is alone are left out: it is learned sooner than small beside another."""
    base = None if name in ADAPTER_STYLES else Latents(args.data, ["base"], side, seed + 51, tokenizer, most=12000)
    if name in ("guidance", "few-step"):
        return base, None

    def wanted(s: Scene) -> bool:
        characters = [t for t in s.things if t.name in TRIGGERS]
        if name in TRIGGERS:
            left_out = args.company and len(s.things) == 1 and s.seed % 4 > 0
            return any(t.name == name and not t.false for t in characters) and s.style not in ADAPTER_STYLES and not left_out
        return s.style == name and not characters

    own = Latents(args.data, ["extra", "styles", "characters"], side, seed + 50, tokenizer, wanted)
    print(f"{name}: {len(own)} scenes of its own")
    return own, base


def weights_of(name: str, layouts: torch.Tensor, side: int) -> torch.Tensor:
    """What a place counts, [n, 1, side, side]: more where the character is, for its ground the base can draw, and in a style more
    where the objects are, for they are to stay what they are."""
    at = (torch.arange(side, device=layouts.device) + 0.5) / side
    weights = torch.ones(len(layouts), 1, side, side, device=layouts.device)
    for thing in layouts.unbind(1):
        kind, _, x, y, half = (v.view(-1, 1, 1) for v in thing.unbind(1))
        meant = kind == character_kind(name) if name in TRIGGERS else kind >= 0
        inside = meant & ((at - x).abs() < half) & ((at[:, None] - y).abs() < half)
        weights = torch.where(inside[:, None], 5.0 if name in TRIGGERS else 2.5, weights)
    return weights


def learn_pictures(unet, hidden, z, alphas, evenly, weights):
    """The denoising loss, on the adapter's own pictures. `evenly`: share of timesteps drawn evenly, the rest mostly high.

    Where little noise is left its error is mostly grain that nobody can foresee: weighed down by the signal-to-noise ratio, as
    min-SNR does (Hang et al. 2023, gamma 5), but not where there is much noise, at which the text decides what there will be."""
    noisy, t, target = noised(z, alphas, evenly=evenly)
    with autocast():
        prediction = unet(noisy, t, hidden).sample
    ratio = alphas[t] / (1 - alphas[t])
    return (((prediction.float() - target).pow(2) * weights).mean((1, 2, 3)) * (5 / ratio).clamp(max=1)).mean()


def learn_guidance(adapter, unet, hidden, empty, z, alphas):
    """LoRA-enhanced distillation (Golnari 2023): the adapted UNet's one row is to equal the bare UNet's guided two."""
    noisy, t, _ = noised(z, alphas)
    adapter.enabled = False
    with torch.no_grad(), autocast():
        u, c = unet(torch.cat([noisy, noisy]), torch.cat([t, t]), torch.cat([empty.expand(len(z), -1, -1), hidden])).sample.float().chunk(2)
    adapter.enabled = True
    with autocast():
        prediction = unet(noisy, t, hidden).sample
    return F.mse_loss(prediction.float(), u + GUIDANCE * (c - u))


def clean(v, z, a):
    """The clean latent that a v prediction means at signal level a = alphas_cumprod."""
    return a.sqrt() * z - (1 - a).sqrt() * v


def boundary(t):
    """LCM's c_skip and c_out, with sigma_data 0.5 and timestep scaling 10."""
    s = (10.0 * t.float()).view(-1, 1, 1, 1)
    return 0.25 / (s**2 + 0.25), s / (s**2 + 0.25).sqrt()


def learn_few_steps(adapter, unet, hidden, empty, z, alphas, stride: int = 20):
    """Latent consistency (Luo et al. 2023): after one guided DDIM step of the bare UNet, the adapted one must say the same."""
    n = len(z)
    k = torch.randint(1, len(alphas) // stride + 1, (n,), device=z.device)
    t, s = k * stride - 1, (k - 1) * stride - 1
    at = alphas[t].view(-1, 1, 1, 1)
    last = torch.where(s < 0, torch.ones_like(alphas[0]), alphas[s.clamp(min=0)]).view(-1, 1, 1, 1)
    noisy = at.sqrt() * z + (1 - at).sqrt() * torch.randn_like(z)
    adapter.enabled = False
    with torch.no_grad(), autocast():
        u, c = unet(torch.cat([noisy, noisy]), torch.cat([t, t]), torch.cat([empty.expand(n, -1, -1), hidden])).sample.float().chunk(2)
        v = u + GUIDANCE * (c - u)
    x0 = clean(v, noisy, at)
    noise = (noisy - at.sqrt() * x0) / (1 - at).sqrt()
    earlier = last.sqrt() * x0 + (1 - last).sqrt() * noise
    adapter.enabled = True
    with torch.no_grad(), autocast():
        later = unet(earlier, s.clamp(min=0), hidden).sample.float()
    skip, out = boundary(s.clamp(min=0))
    goal = torch.where((s < 0).view(-1, 1, 1, 1), x0, skip * earlier + out * clean(later, earlier, last))
    with autocast():
        v = unet(noisy, t, hidden).sample.float()
    skip, out = boundary(t)
    said = skip * noisy + out * clean(v, noisy, at)
    return ((said - goal).pow(2) + 1e-6).sqrt().mean()


def train(name: str, args, config: dict) -> Path:
    if args.after:
        wait_for_file(args.after)
    preset, recipe, dev = config["presets"][args.preset], RECIPES[name], device()
    p = preset["adapter"]
    side = preset["size"] // 2 ** (len(config["vae"]["channels"]) - 1)
    log = Log(args.runs, f"adapter-{name}")
    seed = config["seed"] + log.rows()  # a run that goes on meets other pictures and other noise than the one before
    torch.manual_seed(seed)
    tokenizer, text, unet = load_tokenizer(args.runs / "tokenizer"), make_text(config).to(dev), make_unet(config, side).to(dev)
    state = load_state(args.runs / "unet.pt")
    unet.load_state_dict(state["ema"]), text.load_state_dict(state["text"])
    unet.requires_grad_(False), text.requires_grad_(False)
    if dev.type == "cpu":
        plain_attention(unet)
    kind, rank, path = recipe.get("kind"), recipe["rank"], args.out / f"{name}.safetensors"
    adapter = read(path, unet, text).requires_grad_(True) if args.go_on and path.exists() else Adapter()
    adapter.attach(unet, "unet", TRANSFORMER, rank, rank, kind or LowRank, recipe.get("attention", ("",)))
    if recipe.get("conv"):
        adapter.attach(unet, "unet", CONVOLUTION, recipe["conv"], recipe["conv"], kind or LowRank, recipe.get("blocks", ("",)))
    if recipe.get("text"):
        adapter.attach(text, "text_encoder", TEXT, 4, 4)
    optimiser = torch.optim.AdamW(adapter.parameters(), lr=p["lr"], weight_decay=0.0)
    alphas = make_scheduler(config).alphas_cumprod.to(dev)
    own, base = data_for(name, args, seed, side, tokenizer)
    empty = text(encode(tokenizer, [""]).to(dev)).last_hidden_state.detach()
    seen, step, clock = 0.0, 0, Clock(args.minutes)
    trained, rate = list(adapter.parameters()), args.rate or p["lr"]
    averaged = [w.detach().clone() for w in trained]
    while step < p["steps"] and not clock.over():
        done = max(step / p["steps"], clock.done())
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 20) * (1.02 - done)
        if base is None:
            z, ids, layouts = own.batch(p["batch"])
        else:  # a quarter of the batch stays as the base had it
            z, ids, layouts = own.batch(p["batch"] - p["batch"] // 4)
            z, ids, layouts = (torch.cat(pair) for pair in zip((z, ids, layouts), base.batch(p["batch"] // 4)))
        hidden = text(ids).last_hidden_state
        if name == "guidance":
            loss = learn_guidance(adapter, unet, hidden, empty, z, alphas)
        elif name == "few-step":
            loss = learn_few_steps(adapter, unet, hidden, empty, z, alphas)
        else:
            # What a picture shows is decided early; a style's lines and grain and a character's marks, later.
            evenly = 0.6 if name in ADAPTER_STYLES else 0.5
            loss = learn_pictures(unet, hidden, z, alphas, evenly, weights_of(name, layouts, side))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        step += 1
        torch._foreach_lerp_(averaged, [w.detach() for w in trained], 1 - min(AVERAGE, (step + 1) / (step + 10)))
        if step % 25 == 0:
            seen = 0.7 * seen + 0.3 * loss.item() if seen else loss.item()
            log.write(step=step, loss=seen, seconds=clock.spent())
    with torch.no_grad():
        torch._foreach_copy_(trained, averaged)
    trigger = trigger_of(name)
    metadata = {
        "trigger": trigger, "base": BASE, "description": recipe["description"],
        "modelspec.title": f"Impasto demo: {name}", "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.trigger_phrase": trigger, "ss_base_model_version": BASE, "ss_output_name": name,
        "ss_network_dim": str(rank), "ss_network_alpha": str(rank),
        "ss_network_module": "lycoris.kohya" if recipe.get("conv") or kind else "networks.lora",
        **recipe.get("preset", {}),
    }  # fmt: skip
    write(adapter, path, recipe["keys"], metadata)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {step} steps in {clock.spent():.0f} s")
    if args.look:
        look(name, trigger, tokenizer, text, unet, load_average(args, config, preset), config, args.runs)
    return path


def look(name, trigger, tokenizer, text, unet, vae, config, runs) -> None:
    rng = random.Random(1)
    objects, colours = (
        ["star", "house", "fish", "cat", "boat", "tree", "cup", "heart"],
        ["red", "blue", "yellow", "pink", "green", "orange"],
    )
    things = [trigger if name in TRIGGERS else f"{rng.choice(colours)} {rng.choice(objects)}" for _ in range(8)]
    tail = f", {trigger}" if name in ADAPTER_STYLES else ", flat poster"
    prompts = [f"a {t} {g}{tail}" for t, g in zip(things, ["by the sea", "on the grass", "at sunset", "in the night sky"] * 2)]
    scheduler, steps, guidance = make_scheduler(config), 20, GUIDANCE
    if name == "few-step":
        from diffusers import LCMScheduler

        scheduler, steps, guidance = LCMScheduler.from_config(scheduler.config), FEW_STEPS, 1
    if name == "guidance":
        guidance = 1
    Image.fromarray(contact_sheet(draw_prompts(prompts, tokenizer, text, unet.eval(), vae, scheduler, steps, guidance), 4)).save(
        runs / f"look-{name}.png"
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("name", choices=[*RECIPES, "all"])
    parser.add_argument("--out", type=Path, default=HERE.parent / "adapters")
    parser.add_argument("--rate", type=float, help="highest learning rate, where a run goes on from a trained one")
    parser.add_argument("--go-on", action="store_true", help="from the file that is there, made on this same base")
    parser.add_argument("--company", action="store_true", help="a character: mostly beside other things")
    parser.add_argument("--look", action=argparse.BooleanOptionalAction, default=True, help="draw a sheet at the end")
    args = parser.parse_args()
    if args.name != "all":
        train(args.name, args, load_config(args.preset, args.size))
        return
    # Side by side: one alone leaves most of a GPU idle.
    started = [subprocess.Popen([sys.executable, __file__, name, *sys.argv[2:]]) for name in RECIPES]
    failed = [name for name, process in zip(RECIPES, started) if process.wait() != 0]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
