"""Training steps in PyTorch, timed: the same as bench/serve-training.mjs, with the same protocol."""

import json
import math
import resource
import sys
import time

import torch
from torch.nn.functional import cross_entropy


def serve(model, optimizer, images, classes, precision, mode, pixels=False):
    """Reads a number of steps a line; answers a line of JSON with their times in ms, the last loss and the peak memory.

    precision: float32 or bfloat16; mode: eager or compile; pixels: whether each pixel has a label, and not each image.
    """
    labelled = [len(images), *images.shape[2:]] if pixels else [len(images)]
    labels = (torch.arange(math.prod(labelled)) % classes).reshape(labelled)
    if mode == "compile":
        model = torch.compile(model)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            loss = cross_entropy(model(images), labels)
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
