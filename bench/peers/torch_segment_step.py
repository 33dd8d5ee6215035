"""A training step of torchvision's DeepLab v3 in PyTorch: the peer of bench/segment-step/ours.mjs, served by torch_training.py.

Arguments: precision (float32, bfloat16), mode (eager, compile), threads, batch, image side in px, classes.
"""

import sys

import torch
from torch_training import serve
from torchvision.models.segmentation import deeplabv3_resnet50


class Logits(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images)["out"]


def main(precision, mode, threads, batch, size, classes):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    network = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=classes, aux_loss=False)
    model = Logits(network).to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    serve(model, optimizer, images, classes, precision, mode, pixels=True)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:7]))
