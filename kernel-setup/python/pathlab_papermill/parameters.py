"""The parameters cell, read by TypeScript's own parser (kernel-setup/kernel/parameters.cjs)."""
import json
import math
import os
import re
import subprocess

import click
from jupyter_client.kernelspec import KernelSpecManager
from papermill.exceptions import PapermillException


class ParameterError(PapermillException, click.ClickException):
    """Parameters that the notebook does not know or that have another type; papermill's command prints it plainly."""


def read_cell(source, given=None):
    """What the cell declares and what is wrong with the given values: keys parameters, problems, table."""
    spec = KernelSpecManager().get_kernel_spec("pathlab")
    node, launcher = spec.argv[0], spec.argv[2].format(resource_dir=spec.resource_dir)
    script = os.path.join(os.path.dirname(launcher), "parameters.cjs")
    question = json.dumps({"source": source, "given": plain(given or {})})
    answer = subprocess.run([node, script], input=question, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise ParameterError(f"the parameters cell could not be read:\n{answer.stderr}")
    return json.loads(answer.stdout)


def plain(value):
    """A value in which numbers that JSON does not write are objects: {"$number": "NaN"}."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    return value


def keep_nulls(notebook, source):
    """Gives null to a parameter whose type takes it; papermill's None stands for `undefined` elsewhere."""
    given = notebook.metadata.get("papermill", {}).get("parameters") or {}
    if source is None or None not in given.values():
        return
    types = {entry["name"]: entry["type"] for entry in read_cell(source)["parameters"]}
    nulls = [name for name, value in given.items() if value is None and re.search(r"\bnull\b", types.get(name, ""))]
    for cell in notebook.cells:
        if "injected-parameters" not in cell.metadata.get("tags", []):
            continue
        for name in nulls:
            cell.source = cell.source.replace(f"{name} = undefined;", f"{name} = null;")


def refuse_wrong_parameters(notebook, source):
    """Raises ParameterError if the values that papermill put into the notebook do not fit its parameters cell."""
    given = notebook.metadata.get("papermill", {}).get("parameters") or {}
    if not given:
        return
    if source is None:
        raise ParameterError("this notebook takes no parameters: no cell has the tag 'parameters'")
    answer = read_cell(source, given)
    if not answer["problems"]:
        return
    lines = [problem[0].upper() + problem[1:] for problem in answer["problems"]]
    if any(isinstance(value, (int, float)) for value in given.values()) and any("takes string" in l for l in lines):
        lines.append("papermill's -p turns 3 into a number and True into a boolean; -r keeps text as it is.")
    raise ParameterError("\n".join([*lines, answer["table"]]))
