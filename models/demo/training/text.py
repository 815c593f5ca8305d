"""Teach the text encoder the picture language before any picture is seen.

  python text.py --minutes 8
  python text.py --keep 1 --minutes 8

From captions alone it learns to say, at every object's word, which object in which colour and size that is; and at the end of
the text (and in the padding, which Stable Diffusion's cross-attention sees too) what the whole scene holds: every object with
its colour and place, the ground, the style. Where two things stand to each other is asked apart, from the second one's word on:
the first one's word comes too early to know. The heads that ask are thrown away; what stays is a CLIPTextModel whose
hidden states already tell which colour belongs to which object. Training the UNet starts from there.

With --keep it goes on from the text encoder of a UNet that is trained already, is held near what that UNet knows, and is put back into
its checkpoint: `unet.py` goes on from there.
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
PLACES = {"left of": (0, 1), "right of": (1, 0), "above": (2, 3), "on": (2, 3)}  # of the first thing and the second: left, right, up, down
PAIRS = 0.4  # of the scenes are two things for certain: where they stand is the hardest to learn


class Heads(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.word = nn.Linear(width, len(OBJECT_NAMES) + len(COLOUR_NAMES) + len(SIZES))
        # for every kind of object: is it there, its colour, x, y, half width
        self.whole = nn.Linear(width, len(OBJECT_NAMES) * (1 + len(COLOUR_NAMES) + 3))
        self.setting = nn.Linear(width, len(GROUND_NAMES) + len(BASE_STYLES))
        # for every kind of object: left, right, up or down of the other; at a word, of that object itself
        self.stands = nn.Linear(width, len(OBJECT_NAMES) * 4)
        self.itself = nn.Linear(width, 4)


def targets(scene: Scene, text: str) -> dict:
    """What can be known from the text: ground and style only where it names them."""
    things = [(OBJECT_NAMES.index(t.name), COLOUR_NAMES.index(t.colour), SIZES.index(t.size), t.x, t.y, t.half) for t in scene.things]
    ground = GROUND_NAMES.index(scene.ground) if any(w and w in text for w in _GROUND_WORDS[scene.ground]) else -100
    style = BASE_STYLES.index(scene.style) if any(w in text for w in _STYLE_WORDS[scene.style]) else -100
    said = " and " not in text and scene.relation in PLACES
    return {"things": things, "ground": ground, "style": style, "places": PLACES[scene.relation] if said else None}


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
    loss = loss + relation_loss(heads, hidden, ids, facts, names)
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


def relation_loss(heads: Heads, hidden: torch.Tensor, ids: torch.Tensor, facts: list[dict], names: dict[int, int]) -> torch.Tensor:
    """How the two things of a scene stand to each other, asked at the second one's word, at the end, and somewhere after it."""
    dev = hidden.device
    rows, columns, kinds, places, own_rows, own_columns, own_places = ([] for _ in range(7))
    for k, fact in enumerate(facts):
        if fact["places"] is None:
            continue
        by_kind = {thing[0]: place for thing, place in zip(fact["things"], fact["places"])}
        line = ids[k].tolist()
        last = max(j for j, token in enumerate(line) if names.get(token) in by_kind)
        end = line.index(line[-1])
        for j in (last, end, int(torch.randint(end, len(line), ()))):
            for kind, place in by_kind.items():
                rows.append(k), columns.append(j), kinds.append(kind), places.append(place)
        own_rows.append(k), own_columns.append(last), own_places.append(by_kind[names[line[last]]])
    if not rows:
        return hidden.new_zeros(())
    stands = heads.stands(hidden[rows, columns]).view(len(rows), -1, 4)[range(len(rows)), kinds]
    itself = heads.itself(hidden[own_rows, own_columns])
    return F.cross_entropy(stands, torch.tensor(places, device=dev)) + F.cross_entropy(itself, torch.tensor(own_places, device=dev))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--keep", type=float, help="go on from the UNet's text encoder; weight of staying near what it says now")
    parser.add_argument("--rate", type=float)
    args = parser.parse_args()
    config = load_config(args.preset, args.size)
    p, path = config["presets"][args.preset]["text"], args.runs / ("text.pt" if args.keep is None else "unet.pt")
    torch.manual_seed(config["seed"])
    tokenizer = load_tokenizer(args.runs / "tokenizer")
    model, dev = make_text(config).to(device()), device()
    heads = Heads(config["text"]["hidden_size"]).to(dev)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(5)  # CLIP's init (0.02) is for far longer training
    former, state = None, load_state(path)
    if args.keep is not None:
        former = make_text(config).to(dev).requires_grad_(False).eval()
        former.load_state_dict(state["text"])
        model.load_state_dict(former.state_dict())
        model.get_input_embeddings().requires_grad_(False)
    names = {tokenizer(n).input_ids[1]: k for k, n in enumerate(OBJECT_NAMES)}
    assert all(len(tokenizer(n).input_ids) == 3 for n in OBJECT_NAMES), "every object is one token"
    top = args.rate or p["lr"]
    trained = [w for w in (*model.parameters(), *heads.parameters()) if w.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=top, betas=(0.9, 0.98), weight_decay=0.0)
    step = 0
    if state and former is None:
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
        if former is not None:
            save_state(path, **state | {"text": model.state_dict()})
            return
        save_state(path, text=model.state_dict(), heads=heads.state_dict(), optimiser=optimiser.state_dict(), step=step)

    while step < p["steps"] and not clock.over():
        done = max(step / p["steps"], clock.spent() / clock.limit)
        for group in optimiser.param_groups:
            group["lr"] = top * min(1, (step + 1) / 100) * (1 - 0.95 * done)
        scenes = [sample(rng, count=2 if rng.random() < PAIRS else None) for _ in range(p["batch"])]
        texts = [caption(s, rng) for s in scenes]
        ids = encode(tokenizer, texts, SHORT)
        hidden = model(ids.to(dev)).last_hidden_state
        loss = batch_loss(heads, hidden, ids, [targets(s, t) for s, t in zip(scenes, texts)], names, rng)
        if former is not None:
            loss = loss + args.keep * F.mse_loss(hidden, former(ids.to(dev)).last_hidden_state)
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
