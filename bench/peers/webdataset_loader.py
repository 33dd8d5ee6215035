"""Batches from shards with webdataset and torchvision: the peer of bench/loader/ours.mjs.

Arguments: folder of shards, decoder (pillow or torchvision), batch, side of the views in px, workers. Reads a number of
batches a line; answers a line of JSON with the ms that each took to come and the peak memory of all processes. For 0 it
reads every patch once, checks it, and answers how many there are.
"""

import glob
import json
import resource
import sys
import time

import torch
import torchvision
import webdataset as wds
from torchvision import transforms as T
from torchvision.io import ImageReadMode, decode_jpeg
from workers import rest

folder, decoder, *numbers = sys.argv[1:]
batch, size, workers = map(int, numbers)
shards = sorted(glob.glob(f"{folder}/*.tar"))

crop = dict(size=size, scale=(0.8, 1.0), ratio=(3 / 4, 4 / 3))
flips = [T.RandomHorizontalFlip(), T.RandomVerticalFlip()]
if decoder == "pillow":
    pipeline = T.Compose([T.RandomResizedCrop(**crop), *flips, T.ToTensor()])
else:
    to_float = T.Lambda(lambda image: image.float() / 255)
    pipeline = T.Compose([T.RandomResizedCrop(antialias=True, **crop), *flips, to_float])


def to_views(sample):
    if decoder == "pillow":
        return (pipeline(sample["jpg"]),)
    encoded = torch.frombuffer(bytearray(sample["jpg"]), dtype=torch.uint8)
    return (pipeline(decode_jpeg(encoded, mode=ImageReadMode.RGB)),)


def check():
    samples = 0
    for sample in wds.WebDataset(shards, shardshuffle=False).decode("pil"):
        facts = sample["json"]
        assert sample["jpg"].size == (512, 512), sample["jpg"].size
        assert {"class", "patient", "site", "x", "y", "scores", "synthetic"} <= set(facts), facts
        samples += 1
    return samples


def loader():
    data = wds.WebDataset(shards, shardshuffle=len(shards), seed=1).repeat().shuffle(256)
    data = data.decode("pil") if decoder == "pillow" else data
    return wds.WebLoader(data.map(to_views).batched(batch), batch_size=None, num_workers=workers)


batches = None
for line in sys.stdin:
    steps = int(line)
    if steps == 0:
        print(json.dumps({"samples": check()}), flush=True)
        continue
    if batches is None:
        batches = iter(loader())
    # What the workers made while nobody asked (two batches each) does not count.
    for _ in range(2 * workers):
        next(batches)
    times = []
    for _ in range(steps):
        began = time.perf_counter()
        (views,) = next(batches)
        assert views.shape == (batch, 3, size, size), views.shape
        times.append((time.perf_counter() - began) * 1000)
    rest()
    used = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    version = f"webdataset {wds.__version__}, torchvision {torchvision.__version__}, torch {torch.__version__}"
    print(json.dumps({"times": times, "peakMiB": sum(used) / 1024, "version": version}), flush=True)
