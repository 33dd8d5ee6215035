// Makes this machine ready: node kernel-setup/setup.mjs [--device cpu|gpu] [--force] [--quiet]
import './setup/node-version.mjs';

import('./setup/cli.mjs')
  .then((cli) => cli.main(process.argv.slice(2)))
  .then((code) => {
    process.exitCode = code;
  });
