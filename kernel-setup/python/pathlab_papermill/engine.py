"""papermill's engine for the pathlab kernel."""
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from queue import Empty

from jupyter_core.utils import ensure_async, run_sync
from nbclient.exceptions import CellExecutionComplete
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.exceptions import PapermillExecutionError
from papermill.log import logger
from papermill.utils import find_first_tagged_cell_index

from .parameters import keep_nulls, plain, refuse_wrong_parameters

KERNELS = ("pathlab", "tslab", "typescript")


class PathlabEngine(NBClientEngine):
    """nbclient, with parameters checked before any cell runs and an interrupt that lets the cell save its work."""

    @classmethod
    def execute_notebook(cls, nb, kernel_name, **options):
        index = find_first_tagged_cell_index(nb, "parameters")
        source = nb.cells[index]["source"] if index >= 0 else None
        refuse_wrong_parameters(nb, source)
        keep_nulls(nb, source)
        # Infinities and NaN would make the notebook's file no JSON.
        if "parameters" in nb.metadata.get("papermill", {}):
            nb.metadata.papermill["parameters"] = plain(nb.metadata.papermill["parameters"])
        sys.excepthook = without_python_trace(sys.excepthook)
        return super().execute_notebook(nb, kernel_name, **options)

    @classmethod
    def execute_managed_notebook(
        cls, nb_man, kernel_name, log_output=False, stdout_file=None, stderr_file=None, start_timeout=60,
        execution_timeout=None, **_unused,
    ):
        client = PathlabClient(
            nb_man,
            kernel_name=kernel_name,
            timeout=execution_timeout,
            startup_timeout=start_timeout,
            log=logger,
            log_output=log_output,
            stdout_file=stdout_file,
            stderr_file=stderr_file,
        )
        with client.interrupts():
            return client.execute()


class DefaultEngine(NBClientEngine):
    """Takes the notebooks of our kernel; all others go to the engine that was the default before."""

    previous = NBClientEngine

    @classmethod
    def in_front_of(cls, previous):
        return type(cls.__name__, (cls,), {"previous": previous})

    @classmethod
    def execute_notebook(cls, nb, kernel_name, **options):
        engine = PathlabEngine if kernel_name in KERNELS else cls.previous
        return engine.execute_notebook(nb, kernel_name, **options)


class PathlabClient(PapermillNotebookClient):
    """Runs the cells of one notebook."""

    in_cell = False
    interrupted = False
    progress_shown_at = 0.0

    def interrupts(self):
        return ForwardedInterrupts(self)

    def execute_cell(self, cell, cell_index, **options):
        self.in_cell = True
        try:
            super().execute_cell(cell, cell_index, **options)
        finally:
            self.in_cell = False
            # What a cell says of its progress ends with it.
            if self.nb_man.pbar is not None:
                self.nb_man.pbar.set_postfix_str("")
        if self.interrupted:  # the cell stopped cleanly; those after it must not run
            raise KeyboardInterrupt

    def papermill_execute_cells(self):
        self.places = {}
        super().papermill_execute_cells()
        # What the last cell has left behind: it may fail a moment after its end.
        self.take_late_messages()

    async def _async_poll_output_msg(self, parent_msg_id, cell, cell_index):
        """As nbclient's, which drops what an earlier cell still writes and the errors that nobody there awaited."""
        self.places[parent_msg_id] = cell, cell_index
        with suppress(CellExecutionComplete):
            while True:
                self.take(await ensure_async(self.kc.iopub_channel.get_msg(timeout=None)), cell_index)

    async def take_late_messages_async(self):
        with suppress(Empty):
            while True:
                self.take(await ensure_async(self.kc.iopub_channel.get_msg(timeout=0.3)))

    def take(self, message, running=None):
        """Puts a message under the cell that it is of."""
        place = self.places.get(message["parent_header"].get("msg_id"))
        if place is None:
            return
        cell, index = place
        if message["msg_type"] == "error" and index != running:
            trace = "\n".join(message["content"]["traceback"])
            print(f"\nan error that no cell awaited, of cell {index + 1}:\n{trace}", file=sys.stderr, flush=True)
        self.process_message(message, cell, index)

    take_late_messages = run_sync(take_late_messages_async)

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] in ("display_data", "update_display_data"):
            self.show_progress(msg["content"]["data"].get("text/plain", ""), cell_index)
        return super().process_message(msg, cell, cell_index)

    def show_progress(self, text, cell_index):
        """Puts a display of one line, such as a training loop's progress, beside papermill's bar; where there is none,
        in a line of its own every ten seconds."""
        bar = self.nb_man.pbar
        wait = 10 if bar is None else 0.5  # seconds
        if not text or "\n" in text or time.monotonic() - self.progress_shown_at < wait:
            return
        self.progress_shown_at = time.monotonic()
        if bar is None:
            print(f"cell {cell_index + 1} of {len(self.nb.cells)}: {text}", file=sys.stderr, flush=True)
        else:
            bar.set_postfix_str(text)

    def output(self, outs, msg, display_id, cell_index):
        """Joins consecutive writes to a stream, and lets `\\r` rewrite the line as a terminal does."""
        out = super().output(outs, msg, display_id, cell_index)
        if out is None or out.output_type != "stream":
            return out
        if len(outs) > 1 and outs[-2].output_type == "stream" and outs[-2].name == out.name:
            outs.pop()
            outs[-1].text = rewritten_lines(outs[-1].text + out.text)
        else:
            out.text = rewritten_lines(out.text)
        return out


def rewritten_lines(text):
    """The text after its carriage returns: what follows one replaces the line so far."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    # A return at the very end still waits for what will replace the line.
    return "\n".join(line[line.rstrip("\r").rfind("\r") + 1 :] for line in lines)


class ForwardedInterrupts:
    """The first Ctrl-C goes to the running cell, which may save its work and end; the second stops papermill.

    Under the runner (PATHLAB_RUNNER names its process) the runner's death counts as a Ctrl-C. SLURM signals every process of a
    step: what the runner hands on a moment later is no second one, and the request to end is for the runner.
    """

    heard_at = float("-inf")

    def __init__(self, client):
        self.client = client

    def __enter__(self):
        if threading.current_thread() is not threading.main_thread():
            self.before = None
            return
        self.before = signal.signal(signal.SIGINT, self.forward)
        if "SLURM_STEP_ID" in os.environ:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if "PATHLAB_RUNNER" in os.environ:
            threading.Thread(target=self.watch_runner, args=[int(os.environ["PATHLAB_RUNNER"])], daemon=True).start()

    def __exit__(self, *_):
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def forward(self, _number, _frame):
        is_repeat = "SLURM_STEP_ID" in os.environ and time.monotonic() - self.heard_at < 0.5
        self.heard_at = time.monotonic()
        if is_repeat:
            return
        if self.client.interrupted or not self.client.in_cell:
            raise KeyboardInterrupt
        self.client.interrupted = True
        os.killpg(self.client.km.provisioner.pgid, signal.SIGINT)

    @staticmethod
    def watch_runner(runner):
        while os.getppid() == runner:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)


def without_python_trace(previous):
    """A failed cell has a trace of its own; Python's, through papermill, says nothing about it."""

    def hook(kind, error, trace):
        if issubclass(kind, PapermillExecutionError):
            print(error, file=sys.stderr)
        else:
            previous(kind, error, trace)

    return hook
