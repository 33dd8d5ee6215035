"""Segmentation of slides in PyTorch with openslide-python, timed: the peer of bench/slide-inference/ours.mjs.

Arguments: precision (float32, bfloat16), mode (eager, compile), layout (nchw, channels_last), loader processes, threads,
window px, share that windows have in common, batch, the weights' file, output. A line in is a slide's path, one out its
milliseconds.

Windows are read by a DataLoader ahead of the network. Probabilities are averaged with the same weights as pathlab's, in sums
of one row of windows, and the labels are written as a tiled pyramidal TIFF.
"""

import contextlib
import json
import sys
import time

import numpy as np
import openslide
import tifffile
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet50

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TILE = 256


class Fcn(torch.nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.head = torch.nn.Conv2d(2048, weights["head.weight"].shape[0], 1, bias=False)
        self.head.weight.data = weights.pop("head.weight")
        self.resnet = resnet50()
        self.resnet.fc = torch.nn.Identity()
        self.resnet.load_state_dict(weights, strict=False)
        self.resnet.avgpool = torch.nn.Identity()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, windows):
        resnet = self.resnet
        x = (windows.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        x = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(x))))
        x = self.head(resnet.layer4(resnet.layer3(resnet.layer2(resnet.layer1(x)))))
        x = torch.nn.functional.interpolate(x.float(), scale_factor=32, mode="bilinear")
        return torch.softmax(x, 1)


class Windows(Dataset):
    def __init__(self, path, places, size):
        self.path, self.places, self.size, self.slide = path, places, size, None

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        if self.slide is None:
            self.slide = openslide.OpenSlide(self.path)
        left, top = self.places[index]
        # These slides are opaque, so the alpha channel can be dropped.
        return np.array(self.slide.read_region((left, top), 0, (self.size, self.size)))[..., :3]


def axis(length, size, overlap):
    starts = [0]
    while starts[-1] + size < length:
        starts.append(min(starts[-1] + size - overlap, length - size))
    cosine = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    sums = np.zeros(length)
    for start in starts:
        sums[start : start + size] += cosine
    return starts, [(cosine / sums[start : start + size]).astype(np.float32) for start in starts]


def segment(model, path, size, overlap, batch, loaders, precision, layout, output):
    width, height = openslide.OpenSlide(path).dimensions
    (lefts, across), (tops, down) = axis(width, size, overlap), axis(height, size, overlap)
    cells = [(column, row) for row in range(len(tops)) for column in range(len(lefts))]
    windows = Windows(path, [(lefts[column], tops[row]) for column, row in cells], size)
    loader = DataLoader(windows, batch, num_workers=loaders)
    weights = [[torch.from_numpy(np.outer(y, x)) for x in across] for y in down]
    labels = np.empty((height, width), np.uint8)
    sums, first, done = None, 0, 0

    def take(end):
        nonlocal first
        rows = end - first
        labels[first:end] = sums[:, :rows].argmax(0).byte().numpy()
        kept = sums[:, rows:].clone()
        sums.zero_()
        sums[:, : kept.shape[1]] = kept
        first = end

    low = precision == "bfloat16"
    for images in loader:
        count = len(images)
        if count < batch:
            # The last batch is filled up: a compiled network takes one size.
            images = torch.cat([images, images.new_zeros(batch - count, *images.shape[1:])])
        with torch.autocast("cpu", dtype=torch.bfloat16) if low else contextlib.nullcontext():
            probabilities = model(images)
        if sums is None:
            sums = torch.zeros(probabilities.shape[1], size, width)
        for each in range(count):
            column, row = cells[done]
            while first < tops[row]:
                take(next(top for top in tops if top > first))
            left, top = lefts[column], tops[row] - first
            sums[:, top : top + size, left : left + size].addcmul_(probabilities[each], weights[row][column])
            done += 1
    take(height)
    with tifffile.TiffWriter(output, bigtiff=labels.nbytes > 2**31) as file:
        level = labels
        while True:
            reduced = level is not labels
            file.write(level, tile=(TILE, TILE), compression="zlib", subfiletype=int(reduced), metadata=None)
            if max(level.shape) <= TILE:
                return len(cells)
            level = np.ascontiguousarray(level[2::4, 2::4])


def main(precision, mode, layout, loaders, threads, size, share, batch, weights, output):
    torch.set_num_threads(int(threads))
    model = Fcn(load_file(weights)).eval()
    if layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
    if mode == "compile":
        model = torch.compile(model)
    size, batch = int(size), int(batch)
    overlap = round(float(share) * size)
    with torch.inference_mode():
        for line in sys.stdin:
            began = time.perf_counter()
            windows = segment(model, line.strip(), size, overlap, batch, int(loaders), precision, layout, output)
            milliseconds = 1000 * (time.perf_counter() - began)
            print(json.dumps({"ms": milliseconds, "windows": windows, "version": torch.__version__}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
