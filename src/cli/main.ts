import { UsageError } from './usage-error.js';

interface Command {
  about: string;
  run(args: readonly string[]): Promise<number>;
}

const commands: Record<string, Command> = {
  run: {
    about: 'run a notebook without a browser: run NAME [-p key value ...], or a matrix of them: run --matrix FILE',
    run: async ([first, ...rest]) =>
      first === '--matrix'
        ? (await import('./matrix/main.js')).main(rest)
        : (await import('./run.js')).main(first === undefined ? [] : [first, ...rest]),
  },
  launch: {
    about: 'run a program in several processes that train one model (launch --help)',
    run: async (args) => (await import('./launch.js')).launch(args),
  },
  fetch: {
    about: 'download the slides of a dataset (fetch --help)',
    run: async (args) => (await import('./fetch.js')).fetch(args),
  },
  init: {
    about: 'write a dataset definition for a folder or a table (init --help)',
    run: async (args) => (await import('./init.js')).init(args),
  },
  compile: {
    about: 'cut the slides of a dataset into shards (compile --help)',
    run: async (args) => (await import('./compile.js')).compile(args),
  },
  audit: {
    about: 'check a split for leaks of patients, sites and duplicates (audit --help)',
    run: async (args) => (await import('./audit.js')).audit(args),
  },
  verify: {
    about: 'check a finished run, or a published site: files, code, data, metrics (verify --help)',
    run: async (args) => (await import('./verify.js')).verify(args),
  },
  export: {
    about: 'export a model of a run to timm, torchvision, TensorFlow or ONNX (export --help)',
    run: async (args) => (await import('./export.js')).exportRun(args),
  },
  publish: {
    about: 'write finished runs as a static site that others can check and cite (publish --help)',
    run: async (args) => (await import('./publish/publish.js')).publish(args),
  },
  gallery: {
    about: 'write results/index.html, the page of all runs, and results/api/, the pages of the API',
    run: async () => {
      const { writeApiPages, writeGallery } = await import('../report/index.js');
      await writeApiPages();
      console.log(await writeGallery());
      return 0;
    },
  },
};

/**
 * The `pathlab` command, except for subcommands that work before set-up (kernel-setup/pathlab.mjs).
 *
 * @param args the arguments after `pathlab`
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const command = name === undefined ? undefined : commands[name];
  if (!command) {
    const asked = name !== undefined && !['help', '-h', '--help'].includes(name);
    const lines = Object.entries(commands).map(([known, { about }]) => `  ${known.padEnd(9)} ${about}`);
    const text = ['usage: npx --no-install pathlab COMMAND', ...lines].join('\n');
    if (!asked) {
      console.log(text);
      return name === undefined ? 1 : 0;
    }
    console.error(`unknown command "${name}".\n${text}`);
    return 1;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 1;
  }
}
