// tslab's fault: after every change, also for a completion, it has TypeScript find out what each of the thousand files
// behind tfjs refers to, as an incremental build needs it. A kernel needs that of the cell alone, and only to run it.
const path = require('node:path');

/** `createWatchCompilerHost` whose programs look up what a file refers to when they are asked. */
function withLightPrograms(typescript, createWatchCompilerHost) {
  const createProgram = (...args) => {
    const program = typescript.createAbstractBuilder(...args);
    // tslab looks at the cell's names before it asks for types: they are bound when the checker is made.
    program.getProgram().getTypeChecker();
    program.getAllDependencies = (file) => dependenciesOf(program, file);
    return program;
  };
  return (roots, options, system, _, ...rest) =>
    createWatchCompilerHost(roots, options, system, createProgram, ...rest);
}

/** The names of a file and of all that it refers to, directly or through others. */
function dependenciesOf(program, file) {
  const found = new Set([file]);
  // The loop comes to what is added while it runs.
  for (const one of found) {
    const names = one.referencedFiles.map(({ fileName }) => path.resolve(path.dirname(one.fileName), fileName));
    one.resolvedModules?.forEach(({ resolvedModule }) => {
      names.push(resolvedModule?.resolvedFileName);
    });
    one.resolvedTypeReferenceDirectiveNames?.forEach(({ resolvedTypeReferenceDirective: types }) => {
      names.push(types?.resolvedFileName);
    });
    for (const name of names) {
      const referred = name && program.getSourceFile(name);
      if (referred) found.add(referred);
    }
  }
  return [...found].map(({ fileName }) => fileName);
}

module.exports = { withLightPrograms };
