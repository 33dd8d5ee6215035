// What a front end asks first: which language this is and how its code is shown. Editors take the highlighting from
// `mimetype` and `codemirror_mode`; VS Code goes by the language's name in the kernelspec and here.
const { protocolVersion } = require('./wire.cjs');

const typescriptVersion = require('@tslab/typescript-for-tslab/package.json').version;

/** The content of a `kernel_info_reply`. */
function kernelInfo() {
  return {
    status: 'ok',
    protocol_version: protocolVersion,
    implementation: 'pathlab',
    implementation_version: require('../../package.json').version,
    banner: `TypeScript ${typescriptVersion} (pathlab) on Node ${process.versions.node}`,
    language_info: {
      name: 'typescript',
      version: typescriptVersion,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      pygments_lexer: 'typescript',
      codemirror_mode: { name: 'javascript', mode: 'typescript', typescript: true },
    },
  };
}

module.exports = { kernelInfo };
