"""Says of each file that comes in what the safetensors library makes of it.

Each file comes as its length (8 bytes, little-endian) and its bytes; each answer is a line of JSON: its tensors' types and
shapes by name, or the library's error.
"""

import json
import struct
import sys

from safetensors import deserialize

while length := sys.stdin.buffer.read(8):
    content = sys.stdin.buffer.read(struct.unpack("<Q", length)[0])
    try:
        answer = {"tensors": {name: [tensor["dtype"], tensor["shape"]] for name, tensor in deserialize(content)}}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
