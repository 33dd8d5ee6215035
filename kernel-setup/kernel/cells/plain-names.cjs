// tslab's fault: it exports a cell's variables under the names by which TypeScript keeps them, in which a name that
// starts with two underscores has a third one, so that no such variable can be declared.

/** `createWatchProgram` whose programs tell the names of a cell's variables as they are written. */
function withPlainNames(typescript) {
  return (host, ...rest) => {
    const { afterProgramCreate } = host;
    host.afterProgramCreate = (program) => {
      const { getSourceFile } = program;
      program.getSourceFile = (name) => {
        const file = getSourceFile(name);
        if (file?.locals && name.endsWith('/__tslab__.ts')) {
          file.locals.forEach = function (visit) {
            Map.prototype.forEach.call(this, (symbol, key) =>
              visit(symbol, typescript.unescapeLeadingUnderscores(key)),
            );
          };
        }
        return file;
      };
      afterProgramCreate(program);
    };
    return typescript.createWatchProgram(host, ...rest);
  };
}

module.exports = { withPlainNames };
