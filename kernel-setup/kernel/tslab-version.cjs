// The kernel rests on tslab's internals, so it is made for one version and refuses others by name.
const supportedVersion = '1.0.22';

/** @throws Error if another version of tslab is installed */
function check() {
  const installed = require('tslab/package.json').version;
  if (installed === supportedVersion) return;
  throw new Error(
    `the pathlab kernel needs tslab ${supportedVersion}, but tslab ${installed} is installed; run \`npm run setup\``,
  );
}

module.exports = { check, supportedVersion };
