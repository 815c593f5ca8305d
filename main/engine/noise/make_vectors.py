"""Records what torch.randn draws on the CPU into torch-cpu.vectors.json, for torch-cpu.test.ts.

    python main/engine/noise/make_vectors.py

Needs torch. Each case seeds one generator and draws the given sizes from it one after the other; of a long draw only
the first 16 and the last 24 values are kept, with the sum of all.
"""

import json
import pathlib

import torch

CASES = [
    (0, [4]),
    (0, [16]),
    (0, [4 * 64 * 64]),
    (42, [1, 1, 1, 15]),
    (1234, [17, 31, 100]),
    (1234, [5, 20, 3, 16, 2, 2]),
    (2**31 - 1, [4 * 8 * 8, 4 * 8 * 8, 4 * 8 * 8]),
    (2**32 - 1, [9, 33]),
    (2**32 + 7, [3, 16]),
    (2**53 - 1, [7, 4 * 16 * 24]),
]


def record(values):
    numbers = [float(f"{v:.8g}") for v in values.tolist()]
    if len(numbers) <= 64:
        return {"values": numbers}
    return {"head": numbers[:16], "tail": numbers[-24:], "sum": values.double().sum().item()}


def main():
    cases = []
    for seed, sizes in CASES:
        generator = torch.Generator().manual_seed(seed)
        draws = [{"count": n, **record(torch.randn(n, generator=generator))} for n in sizes]
        cases.append({"seed": seed, "draws": draws})
    lines = ",\n".join(json.dumps(case) for case in cases)
    path = pathlib.Path(__file__).with_name("torch-cpu.vectors.json")
    path.write_text(f'{{ "torch": "{torch.__version__}", "cases": [\n{lines}\n] }}\n')


main()
