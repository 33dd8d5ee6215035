/**
 * Arguments of Python that install pinned wheels, each checked against its hash. Nothing is resolved, built or compiled
 * to bytecode: the lock file has every package, and Python compiles what it uses when it first uses it.
 */
export const pipInstall = (requirements, ...options) => [
  '-m',
  'pip',
  'install',
  '--no-input',
  '--disable-pip-version-check',
  '--progress-bar=off',
  '--retries=3',
  '--require-hashes',
  '--only-binary=:all:',
  '--no-deps',
  '--no-compile',
  '--no-warn-script-location',
  ...options,
  '-r',
  requirements,
];

/** One line of pip's output, short enough to stand beside a step's name; nothing for warnings, which the log keeps. */
export const pipLine = (line) =>
  /^WARNING/.test(line) ? '' : line.replace(/ \(?from .*$/, '').replace(/^(Installing collected packages).*/, '$1');
