"""What a network of timm or torchvision gives, in float64, for bench/model-parity.bench.mjs.

Arguments: name of the network, a folder, batch, sides of the images in px. Writes weights.safetensors, and for each side
SIDE.safetensors with images and pattern, features in evaluation (`inference`) and training mode (`training`), gradients of
the mean square of features - pattern (`gradient.NAME`), and the running statistics that training left (`state.NAME`). The
metadata say how far PyTorch's own gradients in float32 are from them.
"""

import copy
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch_models import network


def main(name, folder, batch, *sides):
    torch.manual_seed(1)
    model = network(name)
    with torch.no_grad():
        for tensor_name, tensor in model.state_dict().items():
            vary(tensor_name, tensor)
    folder = Path(folder)
    kept = {n: t.clone() for n, t in model.state_dict().items() if not n.endswith("num_batches_tracked")}
    save_file(kept, folder / "weights.safetensors")
    single = copy.deepcopy(model).train()
    model.double()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    for side in map(int, sides):
        images = torch.randn(int(batch), side, side, 3)
        turned = images.double().permute(0, 3, 1, 2).contiguous()
        with torch.no_grad():
            inference = model.eval()(turned)
        features = model.train()(turned)
        pattern = torch.randn(features.shape)
        ((features - pattern) ** 2).mean().backward()
        ((single(turned.float()) - pattern) ** 2).mean().backward()
        own = worst({n: p.grad for n, p in single.named_parameters()}, {n: p.grad for n, p in model.named_parameters()})
        found = {"inference": inference, "training": features.detach()}
        found |= {f"gradient.{n}": p.grad for n, p in model.named_parameters()}
        found |= {f"state.{n}": t for n, t in model.state_dict().items() if "running" in n}
        found = {n: t.float().contiguous() for n, t in found.items()} | {"images": images, "pattern": pattern}
        save_file(found, folder / f"{side}.safetensors", {"own": str(own)})
        model.load_state_dict(before)
        model.zero_grad()
        single.zero_grad()


def worst(ours, exact):
    """The largest error of a gradient, relative to its size; what is 0 but for rounding has none of its own."""
    floor = 1e-4 * max(gradient.norm() for gradient in exact.values())
    return max(((ours[n] - g).norm() / max(g.norm(), floor)).item() for n, g in exact.items())


def vary(name, tensor):
    """What starts as 0 or 1 is drawn too, so that an error in it shows."""
    if name.endswith("running_var"):
        tensor.uniform_(0.75, 1.25)
    elif name.endswith(("running_mean", "bias", "cls_token")):
        tensor.uniform_(-0.1, 0.1)
    elif name.endswith("weight") and tensor.ndim == 1:
        tensor.uniform_(0.75, 1.25)
        if name.endswith("bn3.weight"):
            # Small residuals: without them even PyTorch's own gradients in float32 are off by percents.
            tensor.sub_(0.8)


if __name__ == "__main__":
    main(*sys.argv[1:])
