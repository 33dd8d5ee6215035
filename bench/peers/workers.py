"""Waiting for a data loader's worker processes, so that two sides that take turns do not share the cores."""

import multiprocessing
import time


def worked():
    """CPU time of this process and its workers so far, in the system's ticks: user and system, fields 14 and 15 of proc(5)'s
    stat."""
    ticks = 0
    for process in ["self", *(worker.pid for worker in multiprocessing.active_children())]:
        with open(f"/proc/{process}/stat") as stat:
            ticks += sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
    return ticks


def rest():
    """Waits until the workers have made what they make ahead (two batches each)."""
    before = None
    while worked() != before:
        before = worked()
        time.sleep(0.5)
