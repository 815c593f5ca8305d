"""Teach the text encoder the picture language before any picture is seen.

  python text.py --minutes 8

From captions alone it learns to say, at every object's word, which object in which colour and size that is; and at the end of
the text (and in the padding, which Stable Diffusion's cross-attention sees too) what the whole scene holds: every object with
its colour and place, the ground, the style. The heads that ask are thrown away; what stays is a CLIPTextModel whose
hidden states already tell which colour belongs to which object. Training the UNet starts from there.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from common import Clock, Log, arguments, device, load_config, load_state, save_state
from models import make_text
from picture.scene import _GROUND_WORDS, _STYLE_WORDS, COLOUR_NAMES, GROUND_NAMES, OBJECT_NAMES, Scene, caption, sample
from picture.styles import BASE_STYLES
from tokenizer import encode, load_tokenizer

SHORT = 40  # no caption is longer; the positions after it only ever hold padding
SIZES = ["", "small", "large"]


class Heads(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.word = nn.Linear(width, len(OBJECT_NAMES) + len(COLOUR_NAMES) + len(SIZES))
        # for every kind of object: is it there, its colour, x, y, half width
        self.whole = nn.Linear(width, len(OBJECT_NAMES) * (1 + len(COLOUR_NAMES) + 3))
        self.setting = nn.Linear(width, len(GROUND_NAMES) + len(BASE_STYLES))


def targets(scene: Scene, text: str) -> dict:
    """What can be known from the text: ground and style only where it names them."""
    things = [(OBJECT_NAMES.index(t.name), COLOUR_NAMES.index(t.colour), SIZES.index(t.size), t.x, t.y, t.half) for t in scene.things]
    ground = GROUND_NAMES.index(scene.ground) if any(w and w in text for w in _GROUND_WORDS[scene.ground]) else -100
    style = BASE_STYLES.index(scene.style) if any(w in text for w in _STYLE_WORDS[scene.style]) else -100
    return {"things": things, "ground": ground, "style": style}


def batch_loss(heads: Heads, hidden: torch.Tensor, ids: torch.Tensor, facts: list[dict], names: dict[int, int], rng) -> torch.Tensor:
    dev, n = hidden.device, len(facts)
    o, c = len(OBJECT_NAMES), len(COLOUR_NAMES)
    rows, columns, kinds, colours, sizes = [], [], [], [], []
    present = torch.zeros(n, o)
    colour = torch.full((n, o), -100)
    place = torch.zeros(n, o, 3)
    for k, fact in enumerate(facts):
        by_kind = {t[0]: t for t in fact["things"]}
        for kind, (_, col, _, x, y, half) in by_kind.items():
            present[k, kind], colour[k, kind] = 1, col
            place[k, kind] = torch.tensor([(x - 0.5) * 3, (y - 0.5) * 3, (half - 0.2) * 6])
        for j, token in enumerate(ids[k].tolist()):
            kind = names.get(token)
            if kind in by_kind:
                rows.append(k), columns.append(j), kinds.append(kind)
                colours.append(by_kind[kind][1]), sizes.append(by_kind[kind][2])
    words = heads.word(hidden[rows, columns])
    loss = F.cross_entropy(words[:, :o], torch.tensor(kinds, device=dev))
    loss = loss + F.cross_entropy(words[:, o : o + c], torch.tensor(colours, device=dev))
    loss = loss + 0.3 * F.cross_entropy(words[:, o + c :], torch.tensor(sizes, device=dev))
    first_end = (ids == ids[0, -1]).int().argmax(1)
    somewhere = torch.stack([torch.randint(int(e), ids.shape[1], ()) for e in first_end])
    present, colour, place = present.to(dev), colour.to(dev), place.to(dev)
    for where in (first_end, somewhere):
        end = hidden[torch.arange(n), where]
        whole = heads.whole(end).view(n, o, -1)
        loss = loss + 3 * F.binary_cross_entropy_with_logits(whole[..., 0], present)
        loss = loss + F.cross_entropy(whole[..., 1 : 1 + c].reshape(-1, c), colour.view(-1), ignore_index=-100)
        error = (whole[..., 1 + c :] - place).pow(2).mean(-1)
        loss = loss + (error * present).sum() / present.sum()
        setting = heads.setting(end)
        ground = torch.tensor([f["ground"] for f in facts], device=dev)
        style = torch.tensor([f["style"] for f in facts], device=dev)
        loss = loss + 0.5 * F.cross_entropy(setting[:, : len(GROUND_NAMES)], ground, ignore_index=-100)
        loss = loss + 0.5 * F.cross_entropy(setting[:, len(GROUND_NAMES) :], style, ignore_index=-100)
    return loss


def main() -> None:
    args = arguments(__doc__).parse_args()
    config = load_config(args.preset, args.size)
    p, path = config["presets"][args.preset]["text"], args.runs / "text.pt"
    torch.manual_seed(config["seed"])
    tokenizer = load_tokenizer(args.runs / "tokenizer")
    model, dev = make_text(config).to(device()), device()
    heads = Heads(config["text"]["hidden_size"]).to(dev)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(5)  # CLIP's init (0.02) is for far longer training
    names = {tokenizer(n).input_ids[1]: k for k, n in enumerate(OBJECT_NAMES)}
    assert all(len(tokenizer(n).input_ids) == 3 for n in OBJECT_NAMES), "every object is one token"
    optimiser = torch.optim.AdamW([*model.parameters(), *heads.parameters()], lr=p["lr"], betas=(0.9, 0.98), weight_decay=0.0)
    step = 0
    state = load_state(path)
    if state:
        model.load_state_dict(state["text"])
        if "heads" in state:
            heads.load_state_dict(state["heads"]), optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
    rng = np.random.default_rng([config["seed"], 10, step])
    clock, log, seen = Clock(args.minutes), Log(args.runs, "text"), 0.0

    def save() -> None:
        with torch.no_grad():  # padding after SHORT looks like the last position that was trained
            position = (
                model.text_model.embeddings.position_embedding.weight
                if hasattr(model, "text_model")
                else model.embeddings.position_embedding.weight
            )
            position[SHORT:] = position[SHORT - 1]
        save_state(path, text=model.state_dict(), heads=heads.state_dict(), optimiser=optimiser.state_dict(), step=step)

    while step < p["steps"] and not clock.over():
        done = max(step / p["steps"], clock.spent() / clock.limit)
        for group in optimiser.param_groups:
            group["lr"] = p["lr"] * min(1, (step + 1) / 100) * (1 - 0.95 * done)
        scenes = [sample(rng) for _ in range(p["batch"])]
        texts = [caption(s, rng) for s in scenes]
        ids = encode(tokenizer, texts, SHORT)
        hidden = model(ids.to(dev)).last_hidden_state
        loss = batch_loss(heads, hidden, ids, [targets(s, t) for s, t in zip(scenes, texts)], names, rng)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        seen = 0.95 * seen + 0.05 * loss.item() if seen else loss.item()
        if step % 50 == 0:
            log.write(step=step, loss=seen, seconds=clock.spent())
    save()


if __name__ == "__main__":
    main()
