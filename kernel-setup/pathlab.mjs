#!/usr/bin/env node
// The `pathlab` command. `doctor` is answered here, since it must work where nothing else does.
import './setup/node-version.mjs';

const [command, ...rest] = process.argv.slice(2);

async function main() {
  if (command === 'doctor') return (await import('./setup/doctor.mjs')).doctor(rest);
  // Whoever sets this to its own process wants no command to outlive it.
  if (process.env.PATHLAB_PARENT === String(process.ppid)) {
    (await import('./setup/end-with-parent.mjs')).endWithParent();
  }
  const cli = new URL('../dist/cli/main.js', import.meta.url);
  if (!(await import('node:fs')).existsSync(cli)) {
    console.error('pathlab: the package is not built yet\n  Remedy: npm run setup');
    return 1;
  }
  return (await import(cli.href)).main(process.argv.slice(2));
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    console.error(`pathlab: ${error.message}`);
    process.exitCode = 1;
  },
);
