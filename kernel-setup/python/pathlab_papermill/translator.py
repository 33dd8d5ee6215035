"""Values of JSON and YAML as TypeScript."""
import json
import math

from papermill.models import Parameter
from papermill.translators import Translator

from .parameters import ParameterError, read_cell

LARGEST_EXACT = 2**53 - 1  # Number.MAX_SAFE_INTEGER


class TypeScriptTranslator(Translator):
    """Assigns to what the parameters cell declares, so that the compiler checks the types as well."""

    @classmethod
    def codify(cls, parameters, comment="Parameters"):
        lines = [cls.comment(comment)]
        for name, value in parameters.items():
            # None at the top is a parameter that was left alone; deeper inside it is JSON's null.
            lines.append(cls.assign(name, "undefined" if value is None else cls.translate(value)))
        # An assignment as the last expression would be shown as the cell's result.
        lines.append("void 0;")
        return "\n".join(lines) + "\n"

    @classmethod
    def translate(cls, value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{cls.key(str(k))}: {cls.translate(v)}" for k, v in value.items()) + "}"
        if isinstance(value, (list, tuple)):
            return "[" + ", ".join(cls.translate(item) for item in value) + "]"
        if isinstance(value, float) and math.isnan(value):
            return "NaN"
        if isinstance(value, float) and math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        if isinstance(value, int) and abs(value) > LARGEST_EXACT:
            raise ParameterError(f"{value} is a larger number than TypeScript holds exactly; give it as text (-r)")
        if value is None or isinstance(value, (bool, int, float, str)):
            return json.dumps(value)
        raise ParameterError(f"a parameter cannot be of Python's type {type(value).__name__}: {value!r}")

    @staticmethod
    def key(name):
        # A plain "__proto__" would set the prototype.
        return f"[{json.dumps(name)}]" if name == "__proto__" else json.dumps(name)

    @classmethod
    def comment(cls, text):
        return f"// {text}".strip()

    @classmethod
    def assign(cls, name, text):
        return f"{name} = {text};"

    @classmethod
    def inspect(cls, parameters_cell):
        """The parameters, for --help-notebook."""
        return [
            Parameter(name=one["name"], inferred_type_name=one["type"], default=one["default"], help=one["help"])
            for one in read_cell(parameters_cell["source"])["parameters"]
        ]
