// The value of a cell's last expression as Jupyter shows it: by pathlab's display() where it is a table, a tensor, a
// image or the like, otherwise in words.
const { existsSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { inspect, types } = require('node:util');

const display = path.join(__dirname, '../../../dist/report/show.js');
/** Without set-up's build of the package there is only plain text. */
const isBuilt = existsSync(display);

/**
 * @param {(error: Error) => string} describe an error's text, with the cells' own lines
 * @returns {Promise<{ data: Record<string, unknown>, metadata: Record<string, unknown> }>}
 */
async function bundleOf(value, describe) {
  if (types.isNativeError(value)) return { data: { 'text/plain': describe(value) }, metadata: {} };
  if (isBuilt && typeof value === 'object' && value !== null) {
    const { outputOf } = await import(pathToFileURL(display).href);
    const output = await outputOf(value);
    if (output) return { data: output[0], metadata: output[1] };
  }
  if (types.isPromise(value)) hideContext(value);
  return { data: { 'text/plain': inspect(value) }, metadata: {} };
}

/** Node notes at each promise in which context it was made: to find the cell of an output, and nothing to look at. */
function hideContext(promise) {
  for (const key of Object.getOwnPropertySymbols(promise)) {
    if (!nodesNotes.has(key.description)) continue;
    if (Object.getOwnPropertyDescriptor(promise, key).configurable) {
      Object.defineProperty(promise, key, { enumerable: false });
    }
  }
}

const nodesNotes = new Set(['kResourceStore', 'async_id_symbol', 'trigger_async_id_symbol']);

module.exports = { bundleOf };
