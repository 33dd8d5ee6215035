"""A ViT-S/16 training step in PyTorch: the peer of bench/vit-step/ours.mjs, served by torch_training.py.

Arguments: precision (float32, bfloat16), mode (eager, compile), threads, batch, image side in px, classes.
"""

import sys

import torch
from torch_training import serve
from torch_vit import VisionTransformer


def main(precision, mode, threads, batch, size, classes):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = VisionTransformer(size=size, classes=classes)
    images = torch.randn(batch, 3, size, size)
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    others = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=True)
    serve(model, optimizer, images, classes, precision, mode)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:7]))
