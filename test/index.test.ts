import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const project = fileURLToPath(new URL('..', import.meta.url));

test('a cell can require the package as built, and gets neither TensorFlow nor vega until it asks for them', () => {
  // A static import of anything with a top-level await, as vega has, makes require fail.
  const program = 'require("pathlab"); console.log(JSON.stringify(Object.keys(require.cache)))';
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program], { cwd: project, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const loaded = (JSON.parse(stdout) as string[]).filter((path) =>
    /node_modules\/(@tensorflow\/tfjs-node|danfojs|vega)/.test(path),
  );
  expect(loaded).toEqual([]);
});
