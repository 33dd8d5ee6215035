"""Times requests to one kernel over the Jupyter protocol.

usage: kernel_latency.py KERNEL   the first line of stdin is a JSON list of cells to run first; each further line is a
number of rounds, answered by one line of JSON: {"cell": [ms], "completion": [ms], "inspection": [ms]}
"""
import atexit
import json
import sys
import time

from jupyter_client.manager import KernelManager

manager = KernelManager(kernel_name=sys.argv[1])
manager.start_kernel()
atexit.register(manager.shutdown_kernel, now=True)
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=120)


def finish(request):
    """Waits for the reply, in milliseconds from now, and then for the end."""
    started = time.perf_counter()
    while True:
        reply = client.get_shell_msg(timeout=120)
        if reply["parent_header"].get("msg_id") == request:
            break
    took = (time.perf_counter() - started) * 1000
    while True:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") == request and message["content"].get("execution_state") == "idle":
            return took, reply["content"]


for code in json.loads(sys.stdin.readline()):
    _, content = finish(client.execute(code))
    if content["status"] != "ok":
        raise SystemExit(f"{sys.argv[1]}: {code!r} failed: {content}")

for line in sys.stdin:
    times = {"cell": [], "completion": [], "inspection": []}
    for round in range(int(line)):
        times["cell"].append(finish(client.execute(f"{round} + 1"))[0])
        code = "tf.conv2"
        took, content = finish(client.complete(code, len(code)))
        if "conv2d" not in content["matches"]:
            raise SystemExit(f"{sys.argv[1]} does not complete {code}")
        times["completion"].append(took)
        code = "tf.tensor"
        took, content = finish(client.inspect(code, len(code)))
        if not content["found"]:
            raise SystemExit(f"{sys.argv[1]} knows nothing of {code}")
        times["inspection"].append(took)
    print(json.dumps(times), flush=True)
