import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from './fault.mjs';
import { emptyBuildingFolder } from './state.mjs';

const trial = '#include <optional>\n#include <string>\nstd::optional<std::string> f() { return "c++17"; }\n';

/** `CXX`, else the usual names. */
export function compilerCandidates() {
  const asked = process.env.CXX;
  return asked ? [asked] : ['g++', 'c++', 'clang++'];
}

/**
 * A compiler that turns C++17 into a shared library: `CXX`, else the first of g++, c++ and clang++.
 *
 * @throws Fault that says what each one answered
 */
export function findCompiler() {
  const candidates = compilerCandidates();
  const folder = emptyBuildingFolder('compiler');
  mkdirSync(folder, { recursive: true });
  const reasons = [];
  try {
    for (const compiler of candidates) {
      const options = ['-std=c++17', '-shared', '-fPIC', '-x', 'c++', '-', '-o', join(folder, 'trial.so')];
      const answer = spawnSync(compiler, options, {
        input: trial,
        encoding: 'utf8',
        env: { ...process.env, TMPDIR: folder },
      });
      if (answer.status === 0) return compiler;
      if (answer.error?.code === 'ENOENT') continue;
      const said = /error:.*/.exec(answer.stderr ?? '')?.[0] ?? answer.error?.message ?? `exit ${answer.status}`;
      reasons.push(`${compiler} cannot compile C++17 (${said})`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  throw new Fault(
    `no C++ compiler was found (${reasons.join('; ') || `tried ${candidates.join(', ')}`}).`,
    'install one (`sudo apt install g++` on Debian and Ubuntu, `xcode-select --install` on macOS), then run `npm run setup` again.',
  );
}
