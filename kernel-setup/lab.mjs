// npm run lab: JupyterLab on the project's kernel. What follows -- goes to JupyterLab.
import './setup/node-version.mjs';

import('./setup/lab.mjs')
  .then(({ lab }) => lab(process.argv.slice(2)))
  .then((code) => {
    process.exitCode = code;
  });
