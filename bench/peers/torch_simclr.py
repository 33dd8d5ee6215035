"""SimCLR from shards to updated weights with webdataset, torchvision and PyTorch: the peer of bench/pretrain-epoch/ours.mjs.

Argument: JSON of what `main` takes. Reads a number of steps a line; answers a line of JSON with the ms that each took, the
last loss, the number of weights and the peak memory of all processes. Each step is of the next batch from the shards.
"""

import glob
import json
import multiprocessing
import resource
import sys
import time

import torch
import torchvision
import webdataset as wds
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms import v2


def views_of(recipe, pipeline):
    """Two views of an encoded patch. pipeline: "pillow, pillow", or the decoder and the dtype of the tensors in between."""
    decoder, kind = pipeline.split(", ")
    jitter = [recipe["jitter"][part] for part in ("brightness", "contrast", "saturation", "hue")]
    blur = recipe["blur"]
    crop = v2.RandomResizedCrop(recipe["size"], recipe["crop"]["scale"], recipe["crop"]["ratio"], antialias=True)
    to_float = [v2.ToDtype(torch.float32, scale=True)]
    view = v2.Compose(
        [
            crop,
            *(to_float if kind == "float32" else []),
            v2.RandomHorizontalFlip(recipe["flips"]["horizontal"]),
            v2.RandomVerticalFlip(recipe["flips"]["vertical"]),
            v2.RandomApply([v2.ColorJitter(*jitter)], recipe["jitter"]["probability"]),
            v2.RandomGrayscale(recipe["grayscale"]),
            v2.RandomApply([v2.GaussianBlur(blur["kernelSize"], blur["sigma"])], blur["probability"]),
            *([v2.PILToTensor()] if kind == "pillow" else []),
            *([] if kind == "float32" else to_float),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )

    def views(sample):
        image = sample["jpg"]
        if decoder == "torchvision":
            image = decode_jpeg(torch.frombuffer(bytearray(image), dtype=torch.uint8), mode=ImageReadMode.RGB)
        elif kind != "pillow":
            image = v2.functional.pil_to_tensor(image)
        return (torch.stack([view(image), view(image)]),)

    return views


def batches_of(folder, batch, workers, recipe, pipeline):
    """Endless batches [batch, 2, 3, size, size]."""
    shards = sorted(glob.glob(f"{folder}/*.tar"))
    data = wds.WebDataset(shards, shardshuffle=len(shards), seed=1).repeat().shuffle(256)
    data = data.decode("pil") if pipeline.startswith("pillow") else data
    data = data.map(views_of(recipe, pipeline)).batched(batch)
    return iter(wds.WebLoader(data, batch_size=None, num_workers=workers))


def network(depth, hidden, outputs):
    backbone = {18: torchvision.models.resnet18, 50: torchvision.models.resnet50}[depth](weights=None)
    features = backbone.fc.in_features
    backbone.fc = nn.Identity()
    return nn.Sequential(
        backbone,
        nn.Linear(features, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs, bias=False),
        nn.BatchNorm1d(outputs),
    )


def nt_xent(projections, temperature):
    """Views 0 and 1 are of one image, views 2 and 3 of the next, and so on."""
    views = normalize(projections.float(), dim=1)
    similarities = views @ views.T / temperature
    numbers = torch.arange(len(views))
    similarities = similarities.masked_fill(torch.eye(len(views), dtype=torch.bool), -1e9)
    return cross_entropy(similarities, numbers ^ 1)


def worked():
    """CPU time of all processes so far, in the system's ticks: user and system, fields 14 and 15 of proc(5)'s stat."""
    ticks = 0
    for process in ["self", *(worker.pid for worker in multiprocessing.active_children())]:
        with open(f"/proc/{process}/stat") as stat:
            ticks += sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
    return ticks


def rest():
    """Waits until the workers have made what they make ahead (two batches each): it must not take the cores of the other
    side when its turn comes."""
    before = None
    while worked() != before:
        before = worked()
        time.sleep(0.5)


def main(folder, depth, hidden, outputs, batch, recipe, temperature, rate, precision, mode, format, pipeline, workers, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    memory_format = {"channels_last": torch.channels_last, "nchw": torch.contiguous_format}[format]
    model = network(depth, hidden, outputs).to(memory_format=memory_format)
    weights = sum(parameter.numel() for parameter in model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, fused=True)
    forward = torch.compile(model) if mode == "compile" else model
    batches = batches_of(folder, batch, workers, recipe, pipeline)

    def step():
        (pairs,) = next(batches)
        views = pairs.flatten(0, 1).contiguous(memory_format=memory_format)
        if mode == "none":
            return views.mean().item()
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            projections = forward(views)
        loss = nt_xent(projections, temperature)
        loss.backward()
        optimizer.step()
        return loss.item()

    for line in sys.stdin:
        # What the workers made while nobody asked (two batches each) does not count.
        for _ in range(max(1, 2 * workers)):
            step()
        times = []
        for _ in range(int(line)):
            began = time.perf_counter()
            loss = step()
            times.append((time.perf_counter() - began) * 1000)
        rest()
        used = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        version = f"torch {torch.__version__}, torchvision {torchvision.__version__}, webdataset {wds.__version__}"
        peak = sum(used) / 1024
        answer = {"times": times, "loss": loss, "weights": weights, "peakMiB": peak, "version": version}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
