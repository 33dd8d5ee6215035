// npm test: set-up, every test, and the line that counts them. What follows -- goes to vitest (a pattern, say).
import './setup/node-version.mjs';

import('./setup/test.mjs')
  .then(({ test }) => test(process.argv.slice(2)))
  .then((code) => {
    process.exitCode = code;
  });
