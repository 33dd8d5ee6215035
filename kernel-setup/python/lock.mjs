// Pins the Python side: writes requirements.txt, tensorflow-cpu.txt and tensorflow-gpu.txt from the .in files beside
// them, every wheel with its hash, for all supported versions of Python at once. Needs uv, which set-up does not.
//
//   node kernel-setup/python/lock.mjs        (UV=/path/to/uv if uv is not on the PATH)
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const here = new URL('./', import.meta.url);

function compile(input, ...options) {
  const result = spawnSync(
    process.env.UV ?? 'uv',
    // No index, header or annotation that would name the machine on which this ran.
    [
      'pip',
      'compile',
      input,
      '--universal',
      '--python-version',
      '3.11',
      '--generate-hashes',
      '--override',
      'overrides.in',
      '--no-build',
      '--no-header',
      '--quiet',
      ...options,
    ],
    { cwd: here, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 },
  );
  if (result.error) throw new Error(`uv did not run (${result.error.message}); install it with: pip install uv`);
  if (result.status !== 0) throw new Error(`uv pip compile ${input} ended with exit ${result.status}`);
  return result.stdout;
}

/** Blocks of a requirements file whose package `keep` accepts. */
const only = (text, keep) =>
  text
    .split(/\n(?=[a-z])/)
    .filter((block) => keep(/^[\w.-]+/.exec(block)?.[0] ?? ''))
    .map((block) => `${block.trimEnd()}\n`)
    .join('');

const write = (name, text) => writeFileSync(new URL(name, here), text);

write('requirements.txt', compile('requirements.in'));
write('tensorflow-cpu.txt', compile('tensorflow-cpu.in', '--no-deps'));
// Of all that tensorflow[and-cuda] asks for, only the libraries are needed.
write(
  'tensorflow-gpu.txt',
  only(compile('tensorflow-gpu.in'), (name) => name === 'tensorflow' || name.startsWith('nvidia-')),
);
