"""Features of images in PyTorch, timed: the peer of bench/inference/ours.mjs, with the same protocol.

Arguments: precision (float32, bfloat16), mode (eager, compile), format (nchw, channels_last), weights (float32, low: in the
precision, so that no pass casts them), threads, name of the network, batch, image side in px.
"""

import contextlib
import json
import resource
import sys
import time

import torch
from torch_models import network


def main(precision, mode, layout, weights, threads, name, batch, size):
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    model = network(name).eval()
    images = torch.randn(int(batch), 3, int(size), int(size))
    low = precision == "bfloat16" and weights == "low"
    if low:
        model, images = model.bfloat16(), images.bfloat16()
    if layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    if mode == "compile":
        model = torch.compile(model)
    casting = precision == "bfloat16" and not low
    with torch.inference_mode():
        for line in sys.stdin:
            times = []
            for _ in range(int(line)):
                began = time.perf_counter()
                with torch.autocast("cpu", dtype=torch.bfloat16) if casting else contextlib.nullcontext():
                    features = model(images).float()
                times.append(1000 * (time.perf_counter() - began))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            answer = {"times": times, "shape": list(features.shape), "peakMiB": peak, "version": torch.__version__}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
