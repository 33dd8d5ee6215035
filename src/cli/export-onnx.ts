import { spawnSync } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { outputOf, savedModelForm, shapeOf } from './export-savedmodel.js';
import type { ExportForm } from './exported-model.js';
import { UsageError } from './usage-error.js';

const fileName = 'model.onnx';
/** As `npm run campaign -- onnx` compares with onnxruntime. */
const opset = 18;

/**
 * ONNX, which tf2onnx makes of the SavedModel. Its Python is the user's: it needs TensorFlow's Python package, which pathlab
 * does without.
 */
export const onnxForm: ExportForm = {
  library: 'onnx',
  files: [fileName],
  async write(model, folder, options) {
    const python = options.python ?? 'python3';
    requireConverter(python);
    const saved = join(folder, '.savedmodel');
    try {
      await savedModelForm.write(model, saved, options);
      const made = join(folder, `.${fileName}`);
      const given = ['--saved-model', saved, '--output', made, '--opset', String(opset)];
      const { status, stderr } = spawnSync(python, ['-m', 'tf2onnx.convert', ...given], { encoding: 'utf8' });
      if (status !== 0) throw new UsageError(`tf2onnx failed: ${stderr.trim().split('\n').at(-1)}`);
      await rename(made, join(folder, fileName));
    } finally {
      await rm(saved, { recursive: true, force: true });
    }
  },
  loading(model) {
    const { size } = model.view;
    const name = outputOf(model);
    return `import onnxruntime

session = onnxruntime.InferenceSession('${fileName}')
# images: float32 [batch, ${size}, ${size}, 3], normalized; ${name}: ${shapeOf(model)}
[${name}] = session.run(['${name}'], {'images': images})`;
  },
};

function requireConverter(python: string): void {
  const { status, error, stderr } = spawnSync(python, ['-c', 'import tf2onnx, tensorflow'], { encoding: 'utf8' });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim().split('\n').at(-1);
  throw new UsageError(
    `${python} cannot convert to ONNX (${reason}): make a Python that can, with "python3 -m venv onnx" and ` +
      '"onnx/bin/pip install tf2onnx tensorflow-cpu", and add --python onnx/bin/python',
  );
}
