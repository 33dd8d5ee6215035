"""One of the processes that take SimCLR steps together in PyTorch: the peer of bench/data-parallel/ours.mjs, with the same
protocol.

The network is DistributedDataParallel over gloo. PyTorch has no synchronized batch norm on CPUs, so batch norm sees the rows of
its own process only; projections are gathered, with their gradient.

Argument: JSON of what `main` takes.
"""

import json
import resource
import sys
import time
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from torch.nn.parallel import DistributedDataParallel
from torch_methods import mlp, resnet


class Gather(torch.autograd.Function):
    """The rows of all processes, in order; the gradient of a process's rows is summed over all."""

    @staticmethod
    def forward(ctx, rows):
        ctx.rows = len(rows)
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient):
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        first = dist.get_rank() * ctx.rows
        return total[first : first + ctx.rows]


def network_of(depth, hidden, outputs, mode, format, count):
    backbone, features = resnet(depth)
    network = nn.Sequential(backbone, mlp(features, hidden, outputs, norm="every", bias="none"))
    weights = sum(parameter.numel() for parameter in network.parameters())
    if format == "channels_last":
        network = network.to(memory_format=torch.channels_last)
    if count > 1:
        network = DistributedDataParallel(network, gradient_as_bucket_view=True)
    return (torch.compile(network, dynamic=False) if mode == "compile" else network), weights


def main(depth, batch, size, hiddenSize, outputSize, temperature, learningRate, precision, threads, mode, format):
    """mode: eager or compile; format: channels_last or nchw."""
    torch.set_num_threads(threads)
    dist.init_process_group("gloo", timeout=timedelta(seconds=600))
    index, count = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(1)
    network, weights = network_of(depth, hiddenSize, outputSize, mode, format, count)
    optimizer = torch.optim.SGD(network.parameters(), lr=learningRate, momentum=0.9, fused=True)
    torch.manual_seed(2 + index)
    images = torch.randn(2 * batch // count, 3, size, size)
    if format == "channels_last":
        images = images.to(memory_format=torch.channels_last)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            own = network(images).float()
        gather = Gather.apply if count > 1 else lambda rows: rows
        views = normalize(torch.cat([gather(part) for part in own.chunk(2)]), dim=1)
        similarities = (views @ views.T / temperature).fill_diagonal_(-1e9)
        loss = cross_entropy(similarities, torch.arange(len(views)).roll(len(views) // 2))
        loss.backward()
        optimizer.step()
        return loss.item()

    for line in sys.stdin:
        times = []
        for _ in range(json.loads(line)["steps"]):
            began = time.perf_counter()
            loss = step()
            times.append(1000 * (time.perf_counter() - began))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = {"times": times, "loss": loss, "weights": weights, "peakMiB": peak, "version": f"PyTorch {torch.__version__}"}
        print(json.dumps(answer), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
