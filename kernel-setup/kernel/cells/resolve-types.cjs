// tslab's fault: it resolves types the way Node 10 did, so packages that name their types only in `exports`
// (vega-lite 6) have none, and a notebook outside the project finds none of the project's packages.
// Modern resolution for everything is no way out: cells then fail with TS2742. So it is asked only where the old one
// finds nothing, first from the importing file and then from the project.
const path = require('node:path');

const projectFile = path.join(__dirname, '../../../__notebook__.ts');

/** tslab's compiler host, with `import` specifiers resolved as above. */
function resolveTypesOfExports(typescript) {
  return (roots, options, ...rest) => {
    const host = typescript.createWatchCompilerHost(roots, options, ...rest);
    const modern = { ...options, moduleResolution: typescript.ModuleResolutionKind.Bundler };

    const resolve = (name, containingFile) => {
      const attempts = [
        [containingFile, options],
        [containingFile, modern],
        [projectFile, options],
        [projectFile, modern],
      ];
      for (const [from, how] of attempts) {
        const found = typescript.resolveModuleName(name, from, how, host);
        if (found.resolvedModule) return found;
        if (name.startsWith('.')) break;
      }
      return { resolvedModule: undefined };
    };
    const known = new Map();
    /** Files that import what was not there: it may come, so they are looked at again each time. */
    const lacking = new Set();
    // Without this TypeScript takes every file for outdated, and a completion costs as much as a compilation.
    host.hasInvalidatedResolutions = (file) => lacking.has(file);
    host.resolveModuleNameLiterals = (literals, containingFile) => {
      const resolutions = literals.map(({ text }) => {
        // What a package imports does not change while the kernel runs; what a cell imports may.
        if (!containingFile.includes('/node_modules/')) return resolve(text, containingFile);
        const key = `${path.dirname(containingFile)}\0${text}`;
        if (!known.has(key)) known.set(key, resolve(text, containingFile));
        return known.get(key);
      });
      const isWhole = containingFile.includes('/node_modules/') || resolutions.every((found) => found.resolvedModule);
      lacking[isWhole ? 'delete' : 'add'](containingFile);
      return resolutions;
    };
    return host;
  };
}

module.exports = { resolveTypesOfExports };
