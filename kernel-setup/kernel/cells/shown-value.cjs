// The value of a cell's last expression as Jupyter shows it.
const { inspect } = require('node:util');

/** @returns {Promise<{ data: Record<string, unknown>, metadata: Record<string, unknown> }>} */
async function bundleOf(value) {
  return { data: { 'text/plain': inspect(value) }, metadata: {} };
}

module.exports = { bundleOf };
