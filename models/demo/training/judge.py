"""The judge: a small classifier of pictures, trained on drawings only, never on anything a model generated.

  python judge.py train --minutes 15
  python judge.py measure                   on held-out drawings
  python judge.py export ../judge.onnx      and judge.json beside it, which says how to read the outputs
  python judge.py restore ../judge.onnx     the checkpoint from the exported file, to go on training

It looks at 128 x 128 (a larger picture is reduced by area first). One spatial attention map a kind of thing gathers that
kind's own features, so that a colour is read off the thing it belongs to.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from cache import Pictures
from common import HERE, SHARD, Clock, Log, arguments, autocast, device, load_config, load_state, save_state, shards
from draw import JUDGE_SIZE, shards_wanted
from layouts import scene_from_json, scenes_of
from picture.scene import COLOUR_NAMES, GROUND_NAMES, OBJECT_NAMES, Scene
from picture.styles import STYLES

SIZE = JUDGE_SIZE
CHARACTERS = ["robot", "fox"]
KINDS = OBJECT_NAMES + CHARACTERS


class Residual(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.na, self.nb = nn.BatchNorm2d(c), nn.BatchNorm2d(c)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.nb(self.b(F.relu(self.na(self.a(x))))))


def _down(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())


class Judge(nn.Module):
    """pixels float [n, 3, 128, 128] in [0, 1] -> counts [n, 16, 3], colours [n, 14, 9], grounds [n, 6], styles [n, 7], mixed [n, 2]."""

    def __init__(self, c: int = 128):
        super().__init__()
        self.stem = nn.Sequential(_down(3, 32), _down(32, 64), Residual(64), _down(64, c), Residual(c), Residual(c))
        self.where = nn.Conv2d(c, len(KINDS), 1)
        self.evidence = nn.Conv2d(c, len(KINDS), 1)
        self.kind = nn.Parameter(torch.randn(len(KINDS), 32) * 0.1)
        self.read = nn.Sequential(nn.Linear(c + 2 + 32, 128), nn.ReLU(), nn.Linear(128, 3 + len(COLOUR_NAMES) + 1))
        self.scene = nn.Sequential(nn.Linear(2 * c, 128), nn.ReLU(), nn.Linear(128, len(GROUND_NAMES) + len(STYLES)))

    def forward(self, pixels: torch.Tensor):
        return self.look(pixels)[0]

    def look(self, pixels: torch.Tensor):
        """The answers, and the evidence [n, 16, 16, 16]: a kind's own map, which training asks to peak once at each thing."""
        f = self.stem(pixels * 2 - 1)
        weights = self.where(f).flatten(2).softmax(-1)
        gathered = weights @ f.flatten(2).transpose(1, 2)
        evidence = F.softplus(self.evidence(f))
        facts = torch.stack([evidence.amax((2, 3)), evidence.mean((2, 3)) * 8], -1)
        kind = self.kind[None] + torch.zeros_like(gathered[..., :1])
        out = self.read(torch.cat([gathered, facts, kind], -1))
        scene = self.scene(torch.cat([f.mean((2, 3)), f.amax((2, 3))], -1))
        n = len(OBJECT_NAMES)
        answers = (
            out[..., :3],
            out[:, :n, 3 : 3 + len(COLOUR_NAMES)],
            scene[:, : len(GROUND_NAMES)],
            scene[:, len(GROUND_NAMES) :],
            out[:, n:, -1],
        )
        return answers, evidence


OUTPUTS = ["counts", "colours", "grounds", "styles", "mixed"]


def labels(scenes: list[Scene]) -> dict[str, torch.Tensor]:
    """Targets; -100 and -1 where a question has no answer."""
    n = len(scenes)
    counts = torch.zeros(n, len(KINDS), dtype=torch.long)
    colours = torch.full((n, len(OBJECT_NAMES)), -100)
    mixed = torch.full((n, 2), -1.0)
    places = torch.full((n, 3, 3), -1.0)
    for k, scene in enumerate(scenes):
        for i, t in enumerate(scene.things):
            j = KINDS.index(t.name)
            places[k, i] = torch.tensor([j, t.x, t.y])
            counts[k, j] = min(2, counts[k, j] + 1)
            if t.name in CHARACTERS:
                mixed[k, CHARACTERS.index(t.name)] = float(t.false)
            else:
                colours[k, j] = COLOUR_NAMES.index(t.colour)
        colours[k][counts[k, : len(OBJECT_NAMES)] != 1] = -100
    grounds = torch.tensor([GROUND_NAMES.index(s.ground) for s in scenes])
    styles = torch.tensor([-100 if s.extra else STYLES.index(s.style) for s in scenes])
    return {"counts": counts, "colours": colours, "grounds": grounds, "styles": styles, "mixed": mixed, "places": places}


def heat(places: torch.Tensor, side: int) -> torch.Tensor:
    """[n, kinds, side, side] from [n, 3, 3] (kind or -1, x, y): a hill two high and a cell wide at each thing, so that two things
    of a kind make twice the sum of one, whatever their size."""
    kind, x, y = places.unbind(-1)
    cell = (torch.arange(side, device=places.device) + 0.5) / side
    hill = 2 * torch.exp(-((cell[None, None, :, None] - y[..., None, None]) ** 2 + (cell - x[..., None, None]) ** 2) * side**2 / 2)
    out = torch.zeros(len(places), len(KINDS), side, side, device=places.device)
    return out.scatter_add_(1, kind.clamp(min=0).long()[..., None, None].expand_as(hill), hill * (kind >= 0)[..., None, None])


def loss_of(out, evidence, y) -> torch.Tensor:
    # the counts weigh most: sixteen questions share that mean, and nearly every answer is "none"
    counts, colours, grounds, styles, mixed = (o.float() for o in out)
    known = y["mixed"] >= 0
    loss = (
        40 * F.mse_loss(evidence.float(), heat(y["places"], evidence.shape[-1]))
        + 12 * F.cross_entropy(counts.flatten(0, 1), y["counts"].flatten())
        + F.cross_entropy(grounds, y["grounds"])
        + F.cross_entropy(styles, y["styles"])
    )
    loss = loss + F.cross_entropy(colours.flatten(0, 1), y["colours"].flatten(), ignore_index=-100)
    if known.any():
        loss = loss + F.binary_cross_entropy_with_logits(mixed[known], y["mixed"][known])
    return loss


def roughen(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """What stands between a drawing and a decoded picture: softness, wavering edges, patches, noise, drift; each picture its own."""
    n, dev = len(x), x.device

    def chance(share: float) -> torch.Tensor:
        return torch.rand(n, 1, 1, 1, generator=generator, device=dev) < share

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, device=dev)

    y, z = (int(v) for v in torch.randint(-4, 5, (2,), generator=generator, device=dev))
    x = torch.where(chance(0.5), torch.roll(x, (y, z), (2, 3)), x)
    # Its edges waver: every place is moved by up to a few pixels, its neighbours nearly alike.
    size = (0.012, 0.03)[int(torch.randint(2, (1,), generator=generator, device=dev))]
    waver = F.interpolate(normal(n, 2, 10, 10), size=x.shape[-2:], mode="bicubic", align_corners=True)
    waver = waver * size * torch.rand(n, 1, 1, 1, generator=generator, device=dev)
    still = F.affine_grid(torch.eye(2, 3, device=dev).expand(n, 2, 3), list(x.shape), align_corners=False)
    x = F.grid_sample(x, still + waver.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
    x = x * (1 + 0.08 * normal(n, 3, 1, 1)) + 0.03 * normal(n, 3, 1, 1)
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    softer = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear")
    x = torch.where(chance(0.35), soft, torch.where(chance(0.3), softer, x))
    # A small model's paint is uneven: light and dark patches a few pixels wide, as its latents are.
    side = x.shape[-1] // (2, 3, 4, 6)[int(torch.randint(4, (1,), generator=generator, device=dev))]
    patches = normal(n, 1, side, side) + 0.4 * normal(n, 3, side, side)
    strength = torch.where(chance(0.6), 0.14 * torch.rand(n, 1, 1, 1, generator=generator, device=dev), 0.0)
    x = x + strength * F.interpolate(patches, size=x.shape[-2:], mode="bilinear")
    x = x + 0.05 * torch.rand(n, 1, 1, 1, generator=generator, device=dev) * normal(*x.shape)
    return x.clamp(0, 1)


def to_input(pictures: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(np.array(pictures)).to(device()).permute(0, 3, 1, 2).float() / 255
    return F.adaptive_avg_pool2d(x, SIZE) if x.shape[-1] != SIZE else x


def read(out) -> list[dict]:
    """The judge's outputs as words: what is in each picture. The decoding that judge.json describes."""
    counts, colours, grounds, styles, mixed = (o.float().cpu() for o in out)
    answers = []
    for k in range(len(counts)):
        things = {name: ("one", "more")[int(c) - 1] for name, c in zip(KINDS, counts[k].argmax(-1)) if c > 0}
        answers.append({
            "things": things,
            "colours": {n: COLOUR_NAMES[int(colours[k, OBJECT_NAMES.index(n)].argmax())] for n in things if n in OBJECT_NAMES},
            "ground": GROUND_NAMES[int(grounds[k].argmax())],
            "style": STYLES[int(styles[k].argmax())],
            "true": [n for j, n in enumerate(CHARACTERS) if n in things and mixed[k, j] <= 0],
        })  # fmt: skip
    return answers


def load_judge(runs: Path) -> Judge:
    judge = Judge().to(device())
    judge.load_state_dict(load_state(runs / "judge.pt")["judge"])
    return judge.eval()


# its own scenes a third of the time, and a fifth those with repeats, too few otherwise; some with a part in another style; the rest
# the base's and the adapters'
SHARE = {("judge",): 0.32, ("repeats",): 0.2, ("patched",): 0.13, ("base",): 0.1, ("extra", "styles", "characters"): 0.25}


def train(args, config: dict) -> None:
    preset, path = config["presets"][args.preset], args.runs / "judge.pt"
    p, top = preset["judge"], args.rate or preset["judge"]["lr"]
    torch.manual_seed(config["seed"])
    judge = Judge().to(device()).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=top, weight_decay=0.02)
    state, step = load_state(path), 0
    if state:
        judge.load_state_dict(state["judge"])
        step = state["step"]
    most = {split: n * SHARD for split, n in shards_wanted(preset).items()} | {"base": 12000}
    sources = []
    for splits, share in SHARE.items():
        pictures = Pictures(args.data, list(splits), sum(most[split] for split in splits), SIZE)
        pictures.refresh()
        y = labels([s for f in pictures.files for s in scenes_of(f)])
        sources.append((pictures, {k: v.to(device()) for k, v in y.items()}, round(share * p["batch"])))
    generator = torch.Generator(device()).manual_seed(config["seed"] + step)
    log, start = Log(args.runs, "judge"), step
    clock, seen = Clock(args.minutes), 0.0
    while step - start < p["steps"] and not clock.over():
        done = max((step - start) / p["steps"], clock.done())
        for group in optimiser.param_groups:
            group["lr"] = top * min(1, (step - start + 1) / 100) * (1.01 - done)
        parts, answers = [], []
        for pictures, y, n in sources:
            k = torch.randint(pictures.count, (n,), generator=generator, device=device())
            parts.append(pictures.store[k])
            answers.append({name: v[k] for name, v in y.items()})
        x = roughen(torch.cat(parts).permute(0, 3, 1, 2).float() / 255, generator).contiguous(memory_format=torch.channels_last)
        with autocast():
            out, evidence = judge.look(x)
        loss = loss_of(out, evidence, {name: torch.cat([a[name] for a in answers]) for name in answers[0]})
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 50 == 0:
            seen = 0.7 * seen + 0.3 * loss.item() if seen else loss.item()
            log.write(step=step, loss=seen, seconds=clock.spent())
    save_state(path, judge=judge.state_dict(), step=step)
    measure(args, config)


@torch.no_grad()
def measure(args, config: dict) -> dict[str, float]:
    """Shares right on held-out drawings, question by question."""
    judge, right = load_judge(args.runs), {}
    for f in shards(args.data, "held-judge"):
        pictures = np.load(f, mmap_mode="r")
        scenes = [scene_from_json(d) for d in json.loads(f.with_suffix(".json").read_text())]
        for k in range(0, len(pictures), 50):
            out, y = judge(to_input(pictures[k : k + 50])), labels(scenes[k : k + 50])
            counts, colours, grounds, styles, mixed = (o.float().cpu() for o in out)
            present = y["counts"] > 0
            known = y["colours"] >= 0
            character = y["mixed"] >= 0
            for name, values in {
                "counts of every kind": counts.argmax(-1) == y["counts"],
                "counts of what is there": (counts.argmax(-1) == y["counts"])[present],
                "whole list of things": (counts.argmax(-1) == y["counts"]).all(1),
                "colours": (colours.argmax(-1) == y["colours"])[known],
                "grounds": grounds.argmax(-1) == y["grounds"],
                "styles": styles.argmax(-1) == y["styles"],
                "true or mixed": ((mixed > 0).float() == y["mixed"])[character],
            }.items():
                right.setdefault(name, []).append(values.flatten().float())
    shares = {name: torch.cat(v).mean().item() for name, v in right.items()}
    for name, share in shares.items():
        print(f"{name}: {100 * share:.2f}%")
    return shares


def export(args, config: dict) -> None:
    judge = load_judge(args.runs).cpu()
    target = args.path or Path("judge.onnx")
    torch.onnx.export(
        judge, (torch.zeros(1, 3, SIZE, SIZE),), str(target), input_names=["pixels"], output_names=OUTPUTS,
        dynamic_axes={k: {0: "n"} for k in ["pixels", *OUTPUTS]}, opset_version=17, dynamo=False,
    )  # fmt: skip
    description = {
        "input": {"pixels": "float32 [n, 3, 128, 128], RGB in [0, 1]; reduce a larger picture by area"},
        "outputs": {
            "counts": "float32 [n, kinds, 3], logits of none, one, more; argmax over the last axis",
            "colours": "float32 [n, objects, colours], logits; meaningful only for an object whose count is one",
            "grounds": "float32 [n, grounds], logits",
            "styles": "float32 [n, styles], logits",
            "mixed": "float32 [n, characters], logit; above 0 the character is a mixed (false) one; meaningful only where its count is not none",
        },
        "kinds": KINDS, "objects": OBJECT_NAMES, "characters": CHARACTERS, "colours": COLOUR_NAMES, "grounds": GROUND_NAMES, "styles": STYLES,
        "heldOut": {k: round(v, 5) for k, v in measure(args, config).items()},
    }  # fmt: skip
    target.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")


@torch.no_grad()
def restore(args, config: dict) -> None:
    """The checkpoint again from the exported file, so that training can go on without it.

    The export folds each batch normalisation into the convolution before it. Here the convolution keeps the folded weights, and its
    normalisation is given the mean and variance that these have on drawings, and a scale and shift that undo both.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(args.path or HERE.parent / "judge.onnx")).graph
    stored = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    judge = Judge()
    own = judge.state_dict()
    for name in own:
        if name in stored:
            own[name] = stored[name]
    # What torch folds or transposes gets names of its own; the order of the graph's nodes is that of the forward pass.
    own["kind"] = next(stored[i] for n in graph.node if n.op_type == "Add" for i in n.input if i in stored and stored[i].ndim == 3)[0]
    products = [stored[i] for n in graph.node if n.op_type == "MatMul" for i in n.input if i in stored]
    own["read.0.weight"], own["read.2.weight"] = (p.T.contiguous() for p in products)
    judge.load_state_dict(own)
    folded = [[stored[i] for i in n.input[1:]] for n in graph.node if n.op_type == "Conv" and n.input[1] not in own]
    pairs = [m for part in judge.stem for m in (part if isinstance(part, nn.Sequential) else (part.a, part.na, part.b, part.nb))]
    pairs = [m for m in pairs if not isinstance(m, nn.ReLU)]
    pictures = Pictures(args.data, ["judge"], 1000, SIZE)
    pictures.refresh()
    x = to_input(pictures.store[:500].numpy())
    judge.eval()
    for (weight, bias), convolution, norm in zip(folded, pairs[::2], pairs[1::2], strict=True):
        convolution.weight.copy_(weight)
        seen = []
        hook = convolution.register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out))
        for part in x.split(100):
            judge.stem(part * 2 - 1)
        hook.remove()
        out = torch.cat(seen)
        norm.running_mean.copy_(out.mean((0, 2, 3)))
        norm.running_var.copy_(out.var((0, 2, 3)))
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias.copy_(norm.running_mean + bias)
    save_state(args.runs / "judge.pt", judge=judge.state_dict(), step=0)
    measure(args, config)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["train", "measure", "export", "restore"])
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("--rate", type=float, help="highest learning rate, where a run goes on from a trained one")
    args = parser.parse_args()
    {"train": train, "measure": measure, "export": export, "restore": restore}[args.what](args, load_config(args.preset, args.size))


if __name__ == "__main__":
    main()
