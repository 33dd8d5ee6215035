"""One of the processes that sum a tensor with PyTorch's gloo: the peer of bench/allreduce/ours.mjs, with the same protocol.

Argument: threads.
"""

import json
import resource
import sys
import time
from datetime import timedelta

import torch
import torch.distributed as dist

PERIOD = 1000


def main(threads):
    torch.set_num_threads(threads)
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    index, count = dist.get_rank(), dist.get_world_size()
    given = x = None
    for line in sys.stdin:
        asked = json.loads(line)
        if "elements" in asked:
            given = (torch.arange(PERIOD, dtype=torch.float32) + index).repeat(asked["elements"] // PERIOD)
            x = given.clone()
            answer = {"version": f"PyTorch {torch.__version__}"}
        else:
            time.sleep(max(0, asked["at"] / 1000 - time.monotonic()))
            dist.all_reduce(x)
            end = 1000 * time.monotonic()
            wrong = (x != (given - index) * count + count * (count - 1) // 2).sum().item()
            answer = {"end": end, "wrong": wrong}
            # It is summed in place.
            x.copy_(given)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**answer, "peakMiB": peak}), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]))
