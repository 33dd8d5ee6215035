// npm start: set-up, every notebook at demo scale, the gallery; its path is the last line.
import './setup/node-version.mjs';

import('./setup/start.mjs')
  .then(({ start }) => start(process.argv.slice(2)))
  .then((code) => {
    process.exitCode = code;
  });
