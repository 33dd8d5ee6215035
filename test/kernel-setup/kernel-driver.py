"""Drives one kernel with jupyter_client, the protocol's reference implementation, for the tests of the kernel.

Reads one JSON command a line from stdin, answers with one JSON line on stdout.
usage: kernel-driver.py KERNEL_NAME WORKING_FOLDER
"""
import atexit
import json
import os
import queue
import signal
import sys
import time

from jupyter_client.manager import KernelManager

LIMIT = float(os.environ.get("PATHLAB_TEST_LIMIT", 60))  # seconds until an answer counts as missing

manager = KernelManager(kernel_name=sys.argv[1])
manager.shutdown_wait_time = 20
# Ports found free may be taken by the time the kernel binds them; these nobody looks for but a driver whose pid differs by a multiple of 2,400.
for offset, channel in enumerate(("shell", "iopub", "stdin", "hb", "control")):
    setattr(manager, f"{channel}_port", 20_000 + os.getpid() % 2_400 * 5 + offset)
# This program's own stdout carries its answers.
manager.start_kernel(cwd=sys.argv[2], stdout=sys.stderr)


@atexit.register
def end_kernel():
    if manager.has_kernel:
        manager.shutdown_kernel(now=True)


client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
outputs = {}  # request id -> iopub messages
idle = set()  # request ids whose outputs have all come
replies = {}  # request id -> reply


def pump(channel, store_one, timeout):
    try:
        message = channel.get_msg(timeout=timeout)
    except queue.Empty:
        return False
    store_one(message["parent_header"].get("msg_id"), message)
    return True


def keep_output(request, message):
    outputs.setdefault(request, []).append({"type": message["msg_type"], "content": message["content"]})
    if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
        idle.add(request)


def keep_reply(request, message):
    replies[request] = {"type": message["msg_type"], **message["content"]}


def wait(request):
    end = time.monotonic() + LIMIT
    while not (request in replies and request in idle):
        if time.monotonic() > end:
            raise TimeoutError(f"no end of {request}")
        if not pump(client.iopub_channel, keep_output, 0.02) and not manager.is_alive():
            raise RuntimeError("the kernel died")
        while pump(client.shell_channel, keep_reply, 0):
            pass
    return {"reply": replies[request], "outputs": outputs[request]}


def handle(command):
    op = command["op"]
    if op == "send":
        return client.execute(
            command["code"],
            silent=command.get("silent", False),
            stop_on_error=command.get("stopOnError", True),
            allow_stdin=command.get("allowStdin", False),
        )
    if op == "input":  # the question that a cell asks; answers it
        question = client.stdin_channel.get_msg(timeout=LIMIT)
        client.input(command["answer"])
        return question["content"]
    if op == "history":
        return wait(client.history(**command["query"]))
    if op == "is_complete":
        return wait(client.is_complete(command["code"]))
    if op == "alive":
        return manager.is_alive()
    if op == "wait":
        return wait(command["request"])
    if op == "outputs":  # of a finished cell, until the text is among them
        end = time.monotonic() + LIMIT
        # The code that comes back with execute_input may hold the text as well.
        while command["text"] not in json.dumps(
            [m for m in outputs.get(command["request"], []) if m["type"] != "execute_input"]
        ) and time.monotonic() < end:
            pump(client.iopub_channel, keep_output, 0.02)
        return outputs.get(command["request"], [])
    if op == "complete":
        return wait(client.complete(command["code"], command["position"]))
    if op == "inspect":
        return wait(client.inspect(command["code"], command["position"]))
    if op == "info":
        return wait(client.kernel_info())
    if op == "comms":
        return wait(client.comm_info())
    if op == "interrupt":
        return manager.interrupt_kernel()
    if op == "pid":
        return manager.provisioner.pid
    if op == "shutdown":
        manager.shutdown_kernel()
        return None
    if op == "restart":
        manager.restart_kernel()
        client.wait_for_ready(timeout=LIMIT)
        return None
    if op == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ValueError(f"unknown command {op}")


print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    try:
        answer = {"ok": handle(json.loads(line))}
    except Exception as error:
        answer = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
client.stop_channels()
