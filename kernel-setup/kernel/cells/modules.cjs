// What a cell imports. tslab compiles `import` to `require`, from the notebook's folder. Its faults:
// - an ES module with a top-level await (vega 6) cannot be required: it is imported before the cell runs, and handed
//   over when the cell requires it;
// - where a package ships both forms, require and import give a cell and pathlab two copies of it: cells get the one
//   that an import would give;
// - a notebook outside the project (papermill runs it in the folder it was called from) finds no package at all: bare
//   names are looked up in the project first.
const { existsSync, readFileSync } = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { fileURLToPath, pathToFileURL } = require('node:url');

class CellModules {
  #fromNotebook = Module.createRequire(path.join(process.cwd(), 'notebook.js'));
  #fromProject;
  #imported = new Map();
  /** Relative TypeScript files that tslab compiled: path of the JavaScript to its text, and to its loaded module. */
  #compiled = new Map();
  #loaded = new Map();

  /** @param fromProject `import.meta.resolve` of a module of the project */
  constructor(fromProject) {
    this.#fromProject = fromProject;
  }

  /** Takes what tslab compiled beside the cell: relative `.ts` files that changed since the last cell. */
  addCompiled(outputs) {
    for (const { path: file, data } of outputs) {
      this.#compiled.set(file, data);
      this.#loaded.clear();
    }
  }

  /** Imports the ES modules among the specifiers, so that `require` can hand them over. */
  async preload(specifiers) {
    for (const specifier of specifiers) {
      if (this.#imported.has(specifier) || Module.isBuiltin(specifier)) continue;
      const file = this.#locate(specifier, process.cwd());
      if (!file || !isEsModule(file)) continue;
      this.#imported.set(specifier, withDefault(await import(pathToFileURL(file).href)));
    }
  }

  /** `require` for cells. */
  require = Object.assign((specifier) => this.#load(specifier, process.cwd()), {
    resolve: (specifier) => this.#locate(specifier, process.cwd()) ?? this.#fromNotebook.resolve(specifier),
  });

  #load(specifier, folder) {
    if (this.#imported.has(specifier)) return this.#imported.get(specifier);
    const compiled = this.#compiledPath(specifier, folder);
    if (compiled) return this.#loadCompiled(compiled);
    return this.#fromNotebook(this.#locate(specifier, folder) ?? specifier);
  }

  #compiledPath(specifier, folder) {
    if (!specifier.startsWith('.')) return undefined;
    const stem = path.join(folder, specifier);
    return [stem, `${stem}.js`, stem.replace(/\.ts$/, '.js')].find((file) => this.#compiled.has(file));
  }

  #loadCompiled(file) {
    const known = this.#loaded.get(file);
    if (known) return known.exports;
    const loaded = new Module(file, module);
    loaded.filename = file;
    loaded.paths = Module._nodeModulePaths(path.dirname(file));
    loaded.require = (specifier) => this.#load(specifier, path.dirname(file));
    this.#loaded.set(file, loaded);
    loaded._compile(this.#compiled.get(file), file);
    return loaded.exports;
  }

  /** The file that a specifier means, or undefined for Node's own modules and for what is not installed. */
  #locate(specifier, folder) {
    if (Module.isBuiltin(specifier)) return undefined;
    if (!specifier.startsWith('.') && !path.isAbsolute(specifier)) {
      try {
        const file = fileURLToPath(this.#fromProject(specifier));
        if (existsSync(file)) return file;
      } catch {
        // Not one of the project's packages: the notebook's folder may have it.
      }
    }
    try {
      return Module.createRequire(path.join(folder, 'notebook.js')).resolve(specifier);
    } catch {
      return undefined;
    }
  }
}

function isEsModule(file) {
  if (/\.mjs$/.test(file)) return true;
  if (!/\.js$/.test(file)) return false;
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest)) return JSON.parse(readFileSync(manifest, 'utf8')).type === 'module';
    if (folder === path.dirname(folder)) return false;
  }
}

/** Tells TypeScript's import helpers that `default` is the default export, as Node's own require(esm) does. */
function withDefault(namespace) {
  if (!('default' in namespace) || '__esModule' in namespace) return namespace;
  return Object.create(namespace, { __esModule: { value: true } });
}

module.exports = { CellModules };
