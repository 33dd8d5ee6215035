"""The parameters cell, read by TypeScript's own parser (kernel-setup/kernel/parameters.cjs)."""
import json
import os
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
    question = json.dumps({"source": source, "given": given or {}})
    answer = subprocess.run([node, script], input=question, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise ParameterError(f"the parameters cell could not be read:\n{answer.stderr}")
    return json.loads(answer.stdout)


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
