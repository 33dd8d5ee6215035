// npm run check: types, lint and format, import order, notebooks. Every check runs, also after one that failed.
import './setup/node-version.mjs';

import('./setup/check.mjs')
  .then(({ check }) => check())
  .then((code) => {
    process.exitCode = code;
  });
