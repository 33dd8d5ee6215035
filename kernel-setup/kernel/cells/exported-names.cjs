// tslab's faults: it compiles a cell that declares something twice, first to learn the names and then with an export of
// them behind it; and it takes the names as TypeScript keeps them, in which one that starts with two underscores has a
// third, so that no such variable can be declared. Here the export is there from the start, with the names as written.

/** Names like that of the value of a cell's last expression: tslab has to know of them, to choose another one. */
const ownName = 'tsLastExpr';

class ExportedNames {
  #typescript;
  /** The names that the cell being compiled exports, until tslab asks which it declares. */
  #exported;

  constructor(typescript) {
    this.#typescript = typescript;
  }

  /** tslab's `convert`, of a cell behind which the export stands already. */
  convert(converter, declarations, code) {
    const names = this.#declaredIn(code).filter(({ name }) => !name.startsWith(ownName));
    this.#exported = new Set(names.map(({ name }) => name));
    const missing = names.flatMap(({ name, exported }) => (exported ? [] : [name]));
    const suffix = missing.length > 0 ? `\nexport {${missing.join(', ')}}` : '';
    return converter.convert(declarations, code + suffix);
  }

  #declaredIn(code) {
    const { createSourceFile, bindSourceFile, ScriptTarget, unescapeLeadingUnderscores } = this.#typescript;
    // A file with an `export` is a module, whose names are its own.
    const file = createSourceFile('cell.ts', `export {};${code}`, ScriptTarget.ES2022, true);
    bindSourceFile(file, {});
    return [...file.locals]
      .map(([key, symbol]) => ({ name: unescapeLeadingUnderscores(key), exported: symbol.exportSymbol !== undefined }))
      .filter(({ name }) => name !== '__global'); // of `declare global`
  }

  /** `createWatchProgram` whose programs tell tslab of a cell's names only those that are not exported yet. */
  createWatchProgram = (host, ...rest) => {
    const { afterProgramCreate } = host;
    host.afterProgramCreate = (program) => {
      const { getSourceFile } = program;
      program.getSourceFile = (name) => {
        const file = getSourceFile(name);
        if (this.#exported && name.endsWith('/__tslab__.ts')) this.#answerOnce(file.locals);
        return file;
      };
      afterProgramCreate(program);
    };
    return this.#typescript.createWatchProgram(host, ...rest);
  };

  /** tslab asks by `forEach`, before anybody else does. */
  #answerOnce(locals) {
    if (!locals) return;
    locals.forEach = (visit) => {
      delete locals.forEach;
      const exported = this.#exported;
      this.#exported = undefined;
      locals.forEach((symbol, key) => {
        const name = this.#typescript.unescapeLeadingUnderscores(key);
        if (!exported.has(name)) visit(symbol, name);
      });
    };
  }
}

module.exports = { ExportedNames };
