"""Reads patches with openslide-python and resamples them with Pillow, in as many threads as asked.

One line in: {"x": [...], "y": [...], "jpeg": false}; one line out: milliseconds, bytes, the first patch's pixels.
"""

import base64
import io
import json
import math
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openslide
from PIL import Image

path, micrometers, pixels, quality, threads = sys.argv[1], *(float(word) for word in sys.argv[2:6])
pixels, quality, threads = int(pixels), int(quality), int(threads)
local = threading.local()
mpp = float(openslide.OpenSlide(path).properties["openslide.mpp-x"])
side = micrometers / mpp


def slide():
    # A handle of its own for each thread: the fastest way with openslide-python.
    if not hasattr(local, "slide"):
        local.slide = openslide.OpenSlide(path)
        local.level = local.slide.get_best_level_for_downsample(micrometers / pixels / mpp)
    return local.slide


def patch(place):
    # These slides are opaque, so the alpha channel can be dropped; the box keeps the scale exact.
    opened = slide()
    down = opened.level_downsamples[local.level]
    size = math.ceil(side / down)
    region = opened.read_region(place, local.level, (size, size)).convert("RGB")
    return region.resize((pixels, pixels), Image.LANCZOS, box=(0, 0, side / down, side / down))


def raw(place):
    return np.asarray(patch(place))


def jpeg(place):
    file = io.BytesIO()
    patch(place).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


with ThreadPoolExecutor(threads) as pool:
    for line in sys.stdin:
        work = json.loads(line)
        places = list(zip(work["x"], work["y"]))
        started = time.perf_counter()
        if work["jpeg"]:
            size, first = sum(len(data) for data in pool.map(jpeg, places)), ""
        else:
            images = np.empty((len(places), pixels, pixels, 3), np.uint8)
            for index, image in enumerate(pool.map(raw, places)):
                images[index] = image
            size, first = images.nbytes, images[0]
        milliseconds = (time.perf_counter() - started) * 1000
        if not work["jpeg"]:
            first = base64.b64encode(first.tobytes()).decode()
        print(json.dumps({"ms": milliseconds, "bytes": size, "first": first}), flush=True)
