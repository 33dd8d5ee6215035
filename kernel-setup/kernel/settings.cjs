// What the kernelspec's command line sets, in words: `--threads=2`. They are arguments and not the kernelspec's `env`,
// because that would win over the environment of the shell that starts Jupyter; here the shell's wins.
const logLevels = { info: '0', warning: '1', error: '2' };

const settings = {
  threads: (value) => ({ TF_NUM_INTRAOP_THREADS: value, TF_NUM_INTEROP_THREADS: value }),
  'tf-log': (value) => ({ TF_CPP_MIN_LOG_LEVEL: logLevels[value] }),
  device: (value) => ({ PATHLAB_DEVICE: value }),
};

/** The environment variables that such arguments stand for. */
function variablesOf(args) {
  return Object.assign(
    {},
    ...args.map((argument) => {
      const [, name, value] = /^--([a-z-]+)=(.+)$/.exec(argument) ?? [];
      if (!Object.hasOwn(settings, name ?? '')) {
        throw new Error(`unknown option ${argument} in the kernelspec; run \`npm run setup -- --force\``);
      }
      return settings[name](value);
    }),
  );
}

module.exports = { variablesOf, logLevels };
