// The parts of tslab that this kernel rests on: its compiler (cell in, JavaScript and declarations out), completion,
// inspection and the `display` that notebooks import from 'tslab'. They are internals, so the version is pinned and
// what is taken is checked: another tslab stops here with a message instead of misbehaving later.
const Module = require('node:module');
const { ExportedNames } = require('./exported-names.cjs');
const { withLightPrograms } = require('./light-program.cjs');
const { resolveTypesOfExports } = require('./resolve-types.cjs');
const { keepSourceMaps } = require('./source-maps.cjs');
const { check, supportedVersion } = require('../tslab-version.cjs');

check();
const fromTslab = Module.createRequire(require.resolve('tslab/package.json'));

// tslab calls these two functions through the module object: it must see ours, and the originals are read-only there.
const typescriptPath = fromTslab.resolve('@tslab/typescript-for-tslab');
const typescript = fromTslab(typescriptPath);
expectFunctions('TypeScript', typescript, [
  ...['createWatchCompilerHost', 'createAbstractBuilder', 'createWatchProgram', 'transpileModule', 'resolveModuleName'],
  ...['bindSourceFile', 'unescapeLeadingUnderscores'],
]);
const names = new ExportedNames(typescript);
const patched = { ...typescript };
patched.createWatchCompilerHost = withLightPrograms(
  typescript,
  keepSourceMaps.options(resolveTypesOfExports(typescript)),
);
patched.createWatchProgram = names.createWatchProgram;
patched.transpileModule = keepSourceMaps.transpiler(typescript);
require.cache[typescriptPath].exports = patched;

const converters = fromTslab('./dist/converter.js');
const inspection = fromTslab('./dist/inspect.js');
const jupyter = fromTslab('./dist/jupyter.js');
expectFunctions('converter.js', converters, ['createConverter', 'isCompleteCode']);
expectFunctions('inspect.js', inspection, ['printQuickInfo']);
if (!('lastWriteDisplayData' in jupyter)) unexpected('jupyter.js', 'lastWriteDisplayData');

function createConverter() {
  const converter = converters.createConverter({ isJS: false, isBrowser: false });
  expectFunctions('the converter', converter, ['convert', 'complete', 'inspect']);
  return {
    convert: (declarations, code) => names.convert(converter, declarations, code),
    complete: converter.complete,
    inspect: converter.inspect,
  };
}

/** Gives tslab's own `display` and `newDisplay` their way out of the kernel. */
function onTslabDisplay(publish) {
  jupyter.lastWriteDisplayData = publish;
}

function expectFunctions(where, holder, names) {
  for (const name of names) if (typeof holder[name] !== 'function') unexpected(where, name);
}

function unexpected(where, name) {
  throw new Error(
    `this copy of tslab ${supportedVersion} does not work with the pathlab kernel: ${where} has no ${name}`,
  );
}

module.exports = {
  typescript,
  createConverter,
  onTslabDisplay,
  isCompleteCode: converters.isCompleteCode,
  printQuickInfo: inspection.printQuickInfo,
};
