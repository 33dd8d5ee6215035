"""A ViT-S/16 training step in PyTorch: the peer of bench/vit-step/ours.mjs, with the same protocol.

Arguments: precision (float32, bfloat16), mode (eager, compile), threads, batch, image side in px, classes.
Reads a number of steps a line; answers a line of JSON with their times in ms, the last loss and the peak memory.
"""

import json
import resource
import sys
import time

import torch
from torch import nn
from torch_vit import VisionTransformer


def main(precision, mode, threads, batch, size, classes):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = VisionTransformer(size=size, classes=classes)
    images = torch.randn(batch, 3, size, size)
    labels = torch.arange(batch) % classes
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    others = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=True)
    if mode == "compile":
        model = torch.compile(model)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    for line in sys.stdin:
        times = []
        loss = float("nan")
        for _ in range(int(line)):
            began = time.perf_counter()
            loss = step()
            times.append(1000 * (time.perf_counter() - began))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"times": times, "loss": loss, "peakMiB": peak, "version": torch.__version__}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:7]))
