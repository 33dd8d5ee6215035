"""onnxruntime's side of `npm run campaign -- onnx`.

Argument: a file of ONNX. Reads the images, float32 of the input's shape, from stdin; writes the outputs to stdout.
"""

import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
(given,) = session.get_inputs()
images = np.frombuffer(sys.stdin.buffer.read(), dtype=np.float32).reshape(given.shape)
(outputs,) = session.run(None, {given.name: images})
sys.stdout.buffer.write(outputs.astype(np.float32).tobytes())
