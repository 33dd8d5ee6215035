"""jupyter_kernel_test, the Jupyter protocol's public test suite, on one kernel.

usage: kernel_protocol.py pathlab|tslab   prints one line of JSON: {test: "passed" | "failed: ..." | "skipped: ..."}
"""
import json
import sys
import unittest

import jupyter_kernel_test

kernel = sys.argv[1]
# How each kernel says it; everything else is the same for both.
pathlab = kernel == "pathlab"
show = "import { display, html, clearOutput } from 'pathlab';\n"
showing = "import { display } from 'tslab';\n"


class Protocol(jupyter_kernel_test.KernelTests):
    kernel_name = kernel
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('oops')"
    completion_samples = [
        {"text": "consol", "matches": {"console"}},
        {"text": "[1].toLocaleS", "matches": {"toLocaleString"}},
    ]
    complete_code_samples = ["1", "console.log('hello')", "function f(x: number) { return x * 2; }", "const a = [1,\n2];"]
    incomplete_code_samples = ["console.log('hello'", "function f(x: number) {", "const a = [1,"]
    invalid_code_samples = ["const = 1;", "class { ] }"] if pathlab else []
    code_generate_error = "throw new Error('on purpose')"
    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "[1, 2].map((x) => x * 2)", "result": "[ 2, 4 ]"},
        {"code": "6 * 7", "result": "42"},
    ]
    code_display_data = (
        [{"code": show + "display(html('<b>a</b>'))", "mime": "text/html"}]
        if pathlab
        else [{"code": showing + "display.html('<b>a</b>')", "mime": "text/html"}]
    )
    code_history_pattern = "6 [*] 7"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "parseInt"
    code_clear_output = show + "clearOutput()"


class Welcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = kernel
    support_iopub_welcome = False


class Outcome(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def note(self, test, text):
        name = str(getattr(test, "test_case", test)).split()[0]
        if self.outcomes.get(name, "passed") == "passed":
            self.outcomes[name] = text

    def addSuccess(self, test):
        self.note(test, "passed")

    def addFailure(self, test, err):
        self.note(test, f"failed: {err[0].__name__} {str(err[1]).partition(chr(10))[0]}".strip())

    addError = addFailure

    def addSkip(self, test, reason):
        self.note(test, f"skipped: {reason}")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addFailure(test, err)


suite = unittest.TestSuite()
for case in (Protocol, Welcome):
    suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
outcome = Outcome()
suite.run(outcome)
print(json.dumps(outcome.outcomes))
