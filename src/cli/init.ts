import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { writeFileAtomic } from '../base/index.js';
import { checkDefinition, inferDefinition } from '../datasets/index.js';
import { parseOptions } from './options.js';
import { UsageError } from './usage-error.js';

const help = `pathlab init WHERE [--out FILE]

Writes a dataset definition for WHERE, for you to check and correct, and prints how it interprets WHERE. WHERE is a folder with
a subfolder of images for each class, or with one subfolder of images and one of masks; a folder of slides; or a table of
patches (.csv). \`pathlab compile FILE\` then compiles the dataset, and \`-p data FILE\` opens it in a notebook. Licence, origin and
citation are "not stated"; fill them in before you publish the dataset.

  --out FILE   the file to write (NAME.json here); an existing file is not overwritten
`;

/**
 * The command `pathlab init`.
 *
 * @param args what follows `init` on the command line
 * @returns the exit code
 * @throws UsageError with a message for the user
 */
export async function init(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('init', {
    args: [...args],
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' }, out: { type: 'string' } },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [where, ...others] = positionals;
  if (where === undefined || others.length > 0) throw new UsageError('init takes one WHERE (see pathlab init --help)');
  const { definition, understood, table } = await inferDefinition(resolve(where)).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  const file = resolve(values.out ?? `${definition.name}.json`);
  if (existsSync(file)) throw new UsageError(`${file} exists already; name another file with --out`);
  // A definition has its file's name.
  const name = basename(file, '.json');
  const { source } = definition;
  const named = { ...definition, name, source: table === undefined ? source : { ...source, table: `${name}.csv` } };
  const content = `${JSON.stringify(checkDefinition(named, file), null, 2)}\n`;
  if (table !== undefined) await writeFileAtomic(join(dirname(file), `${name}.csv`), table);
  await writeFileAtomic(file, content);
  for (const sentence of understood) console.log(sentence);
  console.log(file);
  return 0;
}
