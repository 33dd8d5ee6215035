// The value of a cell's last expression as Jupyter shows it: by pathlab's display() where it is a table, a tensor, a
// picture or the like, otherwise in words.
const { existsSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { inspect } = require('node:util');

const display = path.join(__dirname, '../../../dist/report/show.js');
/** Without set-up's build of the package there is only plain text. */
const isBuilt = existsSync(display);

/** @returns {Promise<{ data: Record<string, unknown>, metadata: Record<string, unknown> }>} */
async function bundleOf(value) {
  if (isBuilt && typeof value === 'object' && value !== null) {
    const { outputOf } = await import(pathToFileURL(display).href);
    const output = await outputOf(value);
    if (output) return { data: output[0], metadata: output[1] };
  }
  return { data: { 'text/plain': inspect(value) }, metadata: {} };
}

module.exports = { bundleOf };
