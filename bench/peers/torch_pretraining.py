"""Pretraining from shards to updated weights with webdataset, torchvision and PyTorch: the peer of
bench/pretraining/ours.mjs.

Argument: JSON of what `main` takes. Reads a number of steps a line; answers a line of JSON with the ms that each took, the
first and the last loss, the number of weights and the peak memory of all processes. Each step is of the next batch from the
shards.
"""

import glob
import itertools
import json
import resource
import sys
import time

import timm
import torch
import torchvision
import webdataset as wds
from timm.optim import Lars
from torch.nn.utils import clip_grad_norm_
from torch_methods import METHODS
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms import v2
from workers import rest


def view_of(recipe, kind):
    to_float = [v2.ToDtype(torch.float32, scale=True)]
    crop = recipe["crop"]
    interpolation = v2.InterpolationMode(crop.get("interpolation", "bilinear"))
    stages = [v2.RandomResizedCrop(recipe["size"], crop["scale"], crop["ratio"], interpolation, antialias=True)]
    stages += to_float if kind == "float32" else []
    stages += [
        v2.RandomHorizontalFlip(recipe["flips"]["horizontal"]),
        v2.RandomVerticalFlip(recipe["flips"]["vertical"]),
    ]
    if "jitter" in recipe:
        jitter = recipe["jitter"]
        strengths = [jitter[part] for part in ("brightness", "contrast", "saturation", "hue")]
        stages.append(v2.RandomApply([v2.ColorJitter(*strengths)], jitter["probability"]))
    if "grayscale" in recipe:
        stages.append(v2.RandomGrayscale(recipe["grayscale"]))
    if "blur" in recipe:
        blur = recipe["blur"]
        stages.append(v2.RandomApply([v2.GaussianBlur(blur["kernelSize"], blur["sigma"])], blur["probability"]))
    if "solarize" in recipe:
        stages.append(v2.RandomSolarize(0.5 if kind == "float32" else 128, recipe["solarize"]))
    stages += [v2.PILToTensor()] if kind == "pillow" else []
    stages += [] if kind == "float32" else to_float
    return v2.Compose([*stages, v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])


def class_of(sample):
    facts = sample["json"]
    return (json.loads(facts) if isinstance(facts, bytes) else facts)["class"]


def views_of(recipes, pipeline, class_names):
    """Views of an encoded patch, [views, 3, size, size] of each size, and its class.

    pipeline: "pillow, pillow", or the decoder and the dtype of the tensors in between.
    """
    decoder, kind = pipeline.split(", ")
    sizes = [
        [view_of(recipe, kind) for recipe in group] for _, group in itertools.groupby(recipes, lambda recipe: recipe["size"])
    ]

    def views(sample):
        image = sample["jpg"]
        if decoder == "torchvision":
            image = decode_jpeg(torch.frombuffer(bytearray(image), dtype=torch.uint8), mode=ImageReadMode.RGB)
        elif kind != "pillow":
            image = v2.functional.pil_to_tensor(image)
        return *[torch.stack([view(image) for view in group]) for group in sizes], class_names.index(class_of(sample))

    return views


def batches_of(folder, batch, workers, recipes, pipeline, class_names):
    """Endless batches: of each size of views [batch, views, 3, size, size], and classes [batch]."""
    shards = sorted(glob.glob(f"{folder}/*.tar"))
    data = wds.WebDataset(shards, shardshuffle=len(shards), seed=1).repeat().shuffle(256)
    data = data.decode("pil") if pipeline.startswith("pillow") else data
    data = data.map(views_of(recipes, pipeline, class_names)).batched(batch)
    return iter(wds.WebLoader(data, batch_size=None, num_workers=workers))


def optimizer_of(parameters, optimizer, learningRate, weightDecay, momentum=0.9, betas=(0.9, 0.999), decayAll=False, **_):
    others = [parameter for parameter in parameters if parameter.ndim < 2 and not decayAll]
    matrices = [parameter for parameter in parameters if parameter.ndim >= 2 or decayAll]
    groups = [{"params": matrices, "weight_decay": weightDecay}, {"params": others, "weight_decay": 0.0}]
    makers = {
        "sgd": lambda: torch.optim.SGD(groups, lr=learningRate, momentum=momentum, fused=True),
        "lars": lambda: Lars(groups, lr=learningRate, momentum=momentum),
        "adamw": lambda: torch.optim.AdamW(groups, lr=learningRate, betas=betas, fused=True),
    }
    return makers[optimizer]()


def training_step(method, options, settings, precision, mode, format, depth=None):
    """A step of a batch, to its loss; and the number of weights."""
    memory_format = {"channels_last": torch.channels_last, "nchw": torch.contiguous_format}[format]

    def prepare(network):
        network = network.to(memory_format=memory_format)
        return torch.compile(network, dynamic=False) if mode == "compile" else network

    modules, loss_of, after = METHODS[method](prepare, **({"depth": depth} if depth else {}), **options)
    parameters = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    optimizer = optimizer_of(parameters, **settings)

    def step(groups, labels):
        groups = [[view.contiguous(memory_format=memory_format) for view in group.unbind(1)] for group in groups]
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            loss = loss_of(groups, labels)
        loss.backward()
        if "clipNorm" in settings:
            for clipped in [[one] for one in parameters] if settings.get("clipOf") == "each" else [parameters]:
                clip_grad_norm_(clipped, settings["clipNorm"])
        optimizer.step()
        after()
        return loss.item()

    return step, sum(parameter.numel() for parameter in parameters)


def main(folder, batch, views, pipeline, workers, threads, mode, classNames, **training):
    """mode: eager, compile, or none, which makes views alone."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    train, weights = (lambda groups, labels: 0.0, 0) if mode == "none" else training_step(mode=mode, **training)
    batches = batches_of(folder, batch, workers, views, pipeline, classNames)

    def step():
        *groups, labels = next(batches)
        return train(groups, labels)

    first = None
    for line in sys.stdin:
        # What the workers made while nobody asked (two batches each) does not count.
        for _ in range(max(1, 2 * workers)):
            loss = step()
            first = loss if first is None else first
        times = []
        for _ in range(int(line)):
            began = time.perf_counter()
            loss = step()
            times.append((time.perf_counter() - began) * 1000)
        rest()
        used = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        answer = {
            **{"times": times, "firstLoss": first, "loss": loss, "weights": weights, "peakMiB": sum(used) / 1024},
            "version": f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}, "
            f"webdataset {wds.__version__}",
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
