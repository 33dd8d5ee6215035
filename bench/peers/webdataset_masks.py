"""Reads shards with masks with Python's webdataset: what bench/loader/masks.mjs compares with what it wrote.

Argument: folder of shards. Answers a line of JSON: for each patch in the order of the shards its class, the image's size,
and the mask's size and pixels.
"""

import glob
import json
import sys

import webdataset as wds

shards = sorted(glob.glob(f"{sys.argv[1]}/*.tar"))
found = []
for sample in wds.WebDataset(shards, shardshuffle=False).decode("pil"):
    # The decoder makes every image RGB; a gray mask's channels are all its class numbers.
    mask = sample["mask.png"]
    red, green, blue = (list(mask.getchannel(channel).getdata()) for channel in "RGB")
    assert red == green == blue
    found.append({"class": sample["json"]["class"], "size": sample["jpg"].size, "maskSize": mask.size, "mask": red})
print(json.dumps(found))
