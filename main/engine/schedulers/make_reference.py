"""Records what diffusers' schedulers do with a made-up model into reference.json, for reference.test.ts.

    python main/engine/schedulers/make_reference.py && npx biome check --write main/engine/schedulers/reference.json

Needs torch and diffusers 0.42. The latent has five values; the model, the start and the noise are formulas that the test
repeats, so that a case holds results only: the timesteps, the initial sigma, how often noise was drawn, the latent after
each call of the model (of a long run: after every `every`-th call and the last), and in some cases `known`, the start
noised to the level that each call but the last leads to. Arrays are base64 of little-endian float32.
"""

import base64
import importlib
import itertools
import json
import math
import pathlib

import diffusers
import numpy as np
import torch

SIZE = 5
CLASSES = {
    "ddim": ("DDIMScheduler", {}),
    "ddim-inverse": ("DDIMInverseScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpmpp-2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "dpmpp-2m-sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
}
SIGMA_BASED = ["euler", "euler-a", "heun", "dpmpp-2m", "dpmpp-2m-sde", "unipc"]
OWN_TIMESTEPS = ["lcm", "tcd"]
PREDICTIONS = ["epsilon", "v_prediction", "sample"]
SPACINGS = ["leading", "trailing", "linspace"]
REFUSED_BY_DIFFUSERS = {("pndm", "sample"), ("euler-a", "sample")}

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
CONFIGS = {
    "sd1": {"_class_name": "PNDMScheduler", **SD, "clip_sample": False, "set_alpha_to_one": False,
            "skip_prk_steps": True, "steps_offset": 1},
    "sdxl": {"_class_name": "EulerDiscreteScheduler", **SD, "clip_sample": False, "set_alpha_to_one": False,
             "prediction_type": "epsilon", "steps_offset": 1, "timestep_spacing": "leading", "use_karras_sigmas": False},
    "zero-snr": {"_class_name": "DDIMScheduler", **SD, "clip_sample": False, "set_alpha_to_one": True,
                 "prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"},
    "lcm": {"_class_name": "LCMScheduler", **SD, "clip_sample": False, "original_inference_steps": 50,
            "set_alpha_to_one": True, "timestep_scaling": 10.0, "timestep_spacing": "leading"},
    "silent": {},
    "linear-clipped": {"beta_start": 0.0002, "beta_end": 0.015, "beta_schedule": "linear", "num_train_timesteps": 600,
                       "clip_sample": True, "clip_sample_range": 0.7, "original_inference_steps": 40,
                       "timestep_scaling": 4.0},
    "cosine": {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 500, "prediction_type": "v_prediction",
               "timestep_spacing": "leading"},
    "trained": {"trained_betas": [round(0.001 + 0.0009 * i + 0.0004 * math.sin(i), 6) for i in range(80)],
                "num_train_timesteps": 80, "original_inference_steps": 20, "steps_offset": 1},
    "karras-model": {**SD, "use_karras_sigmas": True, "steps_offset": 1},
}


def start_latent():
    return np.array([math.sin(2.1 * i + 0.4) * 1.5 for i in range(SIZE)])


def noise(draw):
    return np.array([math.cos(1.7 * (draw + 1) + 2.3 * i) * 1.4 for i in range(SIZE)])


def model(sample, timestep):
    x = sample.double().numpy().ravel()
    i = np.arange(SIZE)
    return tensor(0.6 * np.sin(1.3 * x + 0.01 * timestep * (i + 1)) + 0.3 * np.cos(timestep / 77 + i))


def tensor(values):
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).reshape(1, SIZE, 1, 1)


def encode(values):
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()


class Draws:
    """Stands in for randn_tensor: the k-th draw is noise(k)."""

    count = 0

    def __call__(self, shape, **_):
        self.count += 1
        return tensor(noise(self.count - 1))


def make(case):
    class_name, fixed = CLASSES[case["name"]]
    overrides = dict(fixed)
    if "spacing" in case:
        overrides["timestep_spacing"] = case["spacing"]
    if "sigmas" in case:
        overrides["use_karras_sigmas"] = case["sigmas"] == "karras"
        overrides["use_exponential_sigmas"] = case["sigmas"] == "exponential"
        if case["sigmas"] == "sgm-uniform":
            overrides["timestep_spacing"] = "trailing"
    if "predictionType" in case:
        overrides["prediction_type"] = case["predictionType"]
    if "rescaleBetasZeroSnr" in case:
        overrides["rescale_betas_zero_snr"] = case["rescaleBetasZeroSnr"]
    return getattr(diffusers, class_name).from_config(CONFIGS[case["config"]], **overrides)


def schedule(case, scheduler):
    """set_timesteps, then the part that the pipelines run for a strength."""
    steps, strength = case["steps"], case.get("strength", 1)
    if case.get("strengthMode") == "compress":
        scheduler.set_timesteps(steps, strength=strength)
        scheduler.set_begin_index(0)
        return scheduler.timesteps
    scheduler.set_timesteps(steps)
    if case["name"] == "euler-a" and case.get("sigmas") in ("karras", "exponential"):
        # diffusers' Euler a has no such sigmas; Euler's are the same schedule.
        euler = make({**case, "name": "euler"})
        euler.set_timesteps(steps)
        scheduler.sigmas, scheduler.timesteps = euler.sigmas, euler.timesteps
    skipped = max(steps - min(int(steps * strength), steps), 0)
    if case["name"] == "ddim-inverse":
        return scheduler.timesteps[: len(scheduler.timesteps) - skipped]
    skipped *= scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(skipped)
    return scheduler.timesteps[skipped:]


def run(case):
    scheduler = make(case)
    timesteps = schedule(case, scheduler)
    draws = Draws()
    importlib.import_module(type(scheduler).__module__).randn_tensor = draws
    latent = tensor(start_latent())
    if "strength" in case and case["name"] != "ddim-inverse":
        latent = scheduler.add_noise(latent, tensor(noise(99)), timesteps[:1])
    else:
        latent = latent * scheduler.init_noise_sigma
    extra = {"eta": case.get("eta", 0.0)} if case["name"] in ("ddim", "tcd") else {}
    start, latents, known = latent, [], []
    for i, t in enumerate(timesteps):
        output = model(scheduler.scale_model_input(latent, t), t.item())
        latent = scheduler.step(output, t, latent, **extra).prev_sample
        latents.append(latent.numpy())
        if case.get("known") and i + 1 < len(timesteps):
            known.append(scheduler.add_noise(tensor(start_latent()), tensor(noise(99)), timesteps[i + 1 : i + 2]).numpy())
    every = max(1, len(latents) // 20)
    result = {"timesteps": encode(timesteps), "initNoiseSigma": float(scheduler.init_noise_sigma), "draws": draws.count,
              "start": encode(start.numpy()),
              "latents": encode(np.stack([latent for i, latent in enumerate(latents) if (i + 1) % every == 0 or i + 1 == len(latents)]))}
    if every > 1:
        result["every"] = every
    if known:
        result["known"] = encode(np.stack(known))
    return result


def cases():
    for name in CLASSES:
        sigma_based = name in SIGMA_BASED
        spacings = [None] if name in OWN_TIMESTEPS else SPACINGS[:2] if name == "ddim-inverse" else SPACINGS
        sigmas = ["default", "karras", "exponential"] if sigma_based else [None]
        for prediction, spacing, sigma in itertools.product(PREDICTIONS, spacings, sigmas):
            if (name, prediction) not in REFUSED_BY_DIFFUSERS:
                yield {"name": name, "config": "sd1", "steps": 7, "predictionType": prediction, "spacing": spacing,
                       "sigmas": sigma}
        if name not in OWN_TIMESTEPS:
            yield {"name": name, "config": "sdxl", "steps": 6, "sigmas": "sgm-uniform"}
        for steps in (1, 2, 3, 23):
            yield {"name": name, "config": "sd1", "steps": steps}
        for steps, strength in ((5, 0.99), (20, 0.55), (9, 0.25), (4, 1.0)):
            yield {"name": name, "config": "sd1", "steps": steps, "strength": strength}
        if sigma_based:
            yield {"name": name, "config": "sd1", "steps": 12, "strength": 0.6, "sigmas": "karras"}
        if name != "ddim-inverse":
            yield {"name": name, "config": "sd1", "steps": 5, "strength": 0.8, "known": True}
        for config in CONFIGS:
            if config != "zero-snr" or name not in ("pndm",):
                yield {"name": name, "config": config, "steps": 6}
        if name not in ("pndm", "heun"):
            for prediction in ("v_prediction", "sample"):
                if (name, prediction) not in REFUSED_BY_DIFFUSERS:
                    spacing = None if name in OWN_TIMESTEPS else "trailing"
                    yield {"name": name, "config": "sd1", "steps": 5, "predictionType": prediction, "spacing": spacing,
                           "rescaleBetasZeroSnr": True}
        if name not in OWN_TIMESTEPS:
            yield {"name": name, "config": "sd1", "steps": 250}
            yield {"name": name, "config": "sd1", "steps": 1000, "spacing": "trailing"}
    for eta, spacing in ((0.4, "leading"), (1.0, "trailing"), (1.0, "linspace")):
        yield {"name": "ddim", "config": "sd1", "steps": 6, "eta": eta, "spacing": spacing}
    for eta, steps in ((0.1, 4), (0.3, 4), (0.5, 7), (0.7, 9), (1.0, 3), (0.3, 1)):
        yield {"name": "tcd", "config": "sd1", "steps": steps, "eta": eta}
    yield {"name": "tcd", "config": "sd1", "steps": 8, "eta": 0.3, "strength": 0.5}
    for steps, strength in ((4, 0.5), (3, 0.33), (8, 1.0)):
        yield {"name": "lcm", "config": "lcm", "steps": steps, "strength": strength, "strengthMode": "compress"}


def main():
    diffusers.logging.set_verbosity_error()
    lines = []
    for case in cases():
        case = {key: value for key, value in case.items() if value is not None}
        lines.append(json.dumps({**case, **run(case)}))
    head = f'"diffusers": "{diffusers.__version__}", "configs": {json.dumps(CONFIGS)}'
    path = pathlib.Path(__file__).with_name("reference.json")
    path.write_text("{ " + head + ', "cases": [\n' + ",\n".join(lines) + "\n] }\n")
    print(f"{len(lines)} cases, {path.stat().st_size} bytes")


main()
