"""timm's and torchvision's side of `npm run campaign -- weights-exchange`.

    weights_exchange.py take FOLDER           FOLDER/networks.json lists networks that pathlab has exported
    weights_exchange.py lite0 WEIGHTS FOLDER  what timm's EfficientNet-Lite0 makes of images with the port's weights
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from torchvision.models._meta import _IMAGENET_CATEGORIES

HERE = Path(__file__).parent
FIXTURES = HERE.parents[1] / "test" / "fixtures"
sys.path[:0] = [str(FIXTURES)]
from hash_uniform import hash_uniform  # noqa: E402


@torch.inference_mode()
def take(folder: Path) -> None:
    for place, network in enumerate(json.loads((folder / "networks.json").read_text())):
        os.chdir(folder / network["name"])
        names = {}
        exec(network["loading"], names)  # the model card's code
        model = names["model"]
        size = network["size"]
        images = torch.from_numpy(hash_uniform(0, (2, size, size, 3))).permute(0, 3, 1, 2)

        def outputs(model):
            computed = model(images)
            return computed["out"] if isinstance(computed, dict) else computed

        answer = {"outputs": outputs(model).flatten().tolist()}
        if network["library"] == "timm":
            local = timm.create_model(f"local-dir:{folder / network['name']}", pretrained=True).eval()
            answer["local"] = (outputs(local) - outputs(model)).abs().max().item()
        back = folder / f"{network['name']}.pth"
        torch.save({"state_dict": model.state_dict()}, back, _use_new_zipfile_serialization=place % 2 == 0)
        print(json.dumps(answer), flush=True)


def images() -> dict[str, Image.Image]:
    def folder(package: str) -> Path:
        return Path(find_spec(package).submodule_search_locations[0])

    shown = folder("skimage") / "data"
    natural = {
        "cat": shown / "chelsea.png",
        "coffee": shown / "coffee.png",
        "rocket": shown / "rocket.jpg",
        "motorcycle": shown / "motorcycle_left.png",
        "astronaut": shown / "astronaut.png",
        "flower": folder("sklearn") / "datasets" / "images" / "flower.jpg",
        "temple": folder("sklearn") / "datasets" / "images" / "china.jpg",
    }
    patches = HERE.parents[2] / "shared" / "data" / "patches" / "nct-crc-nine"
    return {
        name: Image.open(path).convert("RGB")
        for name, path in (natural | {path.stem: path for path in sorted(patches.glob("*.*")) if path.suffix != ".csv"}).items()
    }


@torch.inference_mode()
def lite0(weights: Path, folder: Path) -> None:
    port = torch.load(weights, weights_only=True)
    pairs = json.loads((FIXTURES / "foreign-weights" / "names.json").read_text())["efficientnet"]
    model = timm.create_model("tf_efficientnet_lite0")
    model.load_state_dict({ours: port[theirs] for theirs, ours in pairs}, strict=False)
    model.eval()
    arrays, answers = {}, {}
    normalizations = {"half": ([0.5] * 3, [0.5] * 3), "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])}
    for name, image in images().items():
        scale = 256 / min(image.size)
        resized = image.resize([round(side * scale) for side in image.size], Image.BICUBIC)
        left, top = (resized.width - 224) // 2, (resized.height - 224) // 2
        arrays[name] = np.asarray(resized.crop((left, top, left + 224, top + 224)))
        answers[name] = {}
        for kind, (mean, deviation) in normalizations.items():
            pixels = (torch.from_numpy(arrays[name]).float() / 255 - torch.tensor(mean)) / torch.tensor(deviation)
            features = model.forward_head(model.forward_features(pixels.permute(2, 0, 1)[None]), pre_logits=True)
            logits = model.classifier(features)[0]
            best = logits.softmax(0).topk(5)
            named = [[_IMAGENET_CATEGORIES[i], round(p, 3)] for p, i in zip(best.values.tolist(), best.indices.tolist())]
            answers[name][kind] = {"features": features[0].tolist(), "logits": logits.tolist(), "top": named}
    np.savez(folder / "images.npz", **arrays)
    (folder / "answers.json").write_text(json.dumps(answers))


if sys.argv[1] == "take":
    take(Path(sys.argv[2]))
else:
    lite0(Path(sys.argv[2]), Path(sys.argv[3]))
