import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { projectRoot } from '../src/base/index.js';
import { main } from '../src/cli/main.js';
import { checkDefinition, readDefinition } from '../src/datasets/index.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const documents = ['README.md', 'environment.md'].map((name) => readFileSync(join(projectRoot, name), 'utf8'));
/** What stands between backticks, and the lines of blocks of shell commands. */
const examples = documents.flatMap((text) => [
  ...[...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    block!.split('\n').map((line) => line.split(' #')[0]!.trim()),
  ),
  ...[...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([^`]+)`/g)].map(([, span]) => span!.replace(/\s+/g, ' ')),
]);

describe('each example of the documentation', () => {
  const commands = examples.flatMap((example) =>
    /(?:^|no-install )pathlab (?!doctor)(\w+)(.*)$/.exec(example)?.slice(1) ? [example] : [],
  );
  test.each([...new Set(commands)])('%s has options that its command takes', async (example) => {
    const [name, ...words] = /pathlab (.*)$/.exec(example)![1]!.split(' ');
    if (name === 'gallery') return;
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    // An option that stands at the end without its value has one here.
    const whole = /--(reader-memory|workers)$/.test(example) ? [...words, '1'] : words;
    expect(await main([name!, ...whole, '--help']), said.mock.calls.join()).toBe(0);
  });

  test.each([
    '--size 96',
    '--tile 256',
    '--stride 128',
    '--edge drop',
    '--tissue 0.5',
    '--lossless',
    '--max-failures 3',
    '--remove-orphans',
  ])('compile takes %s', async (option) => {
    expect(documents.join(' ') + (await helpOf('compile'))).toContain(option.split(' ')[0]);
    expect(await main(['compile', ...option.split(' '), '--help'])).toBe(0);
  });

  test('npm scripts, benchmarks, campaigns and notebooks of these names exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
    const lacking = examples.filter((example) => {
      const [, script, name] = /^npm (?:run )?([\w-]+)(?: -- ([\w-]+))?/.exec(example) ?? [];
      if (script === undefined || ['install', 'ci'].includes(script)) return false;
      if (!(script in scripts)) return true;
      if (name === undefined || name.startsWith('-')) return false;
      if (script === 'bench' || script === 'campaign')
        return !existsSync(join(projectRoot, 'bench', `${name}.${script}.mjs`));
      return (
        script === 'notebook' && !readdirSync(join(projectRoot, 'notebooks')).some((file) => file.startsWith(name))
      );
    });
    expect(lacking).toEqual([]);
  });

  test('sources of patches are ones that a definition takes, and the pattern finds the patient that is said', () => {
    const sources = [...documents[1]!.matchAll(/\{ "kind"[\s\S]*?\}(?: \})?(?=[\n`])/g)].map(([text]) =>
      JSON.parse(text),
    );
    expect(sources.map(({ kind }) => kind)).toEqual(['csv', 'folder']);
    for (const source of sources) {
      const definition = { ...readDefinition('ptcga200'), name: 'mine', unit: 'patches', geometry: null, source };
      expect(() => checkDefinition(definition, 'mine.json')).not.toThrow();
    }
    const [, file, patient] = /the patient of `(\S+)` is (\w+)/.exec(documents[1]!)!;
    expect(new RegExp(sources[1].patientPattern).exec(file!)![1]).toBe(patient);
  });
});

async function helpOf(command: string): Promise<string> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await main([command, '--help']);
  return log.mock.calls.join('\n');
}

test('figures of speed in the README are those of the committed results, and none is of a quick run', () => {
  const rows = readFileSync(join(projectRoot, 'README.md'), 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, , , figure]) => /^\d+\.\d\d$/.test(figure ?? ''));
  let name = '';
  const figures: Record<string, string[]> = {};
  for (const [, , , figure, command] of rows) {
    name = /npm run bench -- ([\w-]+)/.exec(command ?? '')?.[1] ?? name;
    figures[name] = [...(figures[name] ?? []), figure!];
  }
  expect(Object.keys(figures).sort()).toEqual([
    'kernel',
    'loader',
    'mae-step',
    'pretrain-epoch',
    'segment-step',
    'simclr-step',
    'tiles',
    'train-step',
    'vit-step',
  ]);
  for (const [benchmark, shown] of Object.entries(figures)) {
    const result = JSON.parse(readFileSync(join(projectRoot, 'bench', 'results', `${benchmark}.json`), 'utf8'));
    expect(result.quick, benchmark).toBe(false);
    const measured = (Object.values(result.ratios) as number[]).map((ratio) => ratio.toFixed(2));
    expect(measured, benchmark).toEqual(shown);
  }
});

test('figures of memory in the README are those of the committed results', () => {
  const rowsOf = (benchmark: string) =>
    JSON.parse(readFileSync(join(projectRoot, 'bench', 'results', `${benchmark}.json`), 'utf8')).rows as {
      precision: string;
      side: string;
      peakMiB: number;
    }[];
  const ratioTo = (rows: ReturnType<typeof rowsOf>, precision: string, side: RegExp) => {
    const memoryOf = (of: RegExp) => rows.find((row) => row.precision === precision && of.test(row.side))!.peakMiB;
    return memoryOf(/^pathlab/) / memoryOf(side);
  };
  const ratiosOf = (benchmark: string) => {
    const rows = rowsOf(benchmark);
    return [...new Set(rows.map(({ precision }) => precision))].map((each) => ratioTo(rows, each, /, in turns$/));
  };
  const both = ['train-step', 'vit-step'].flatMap(ratiosOf);
  const compiled = ratioTo(rowsOf('train-step'), 'bfloat16', /^PyTorch channels_last compile$/);
  const figures = [Math.min(...both), Math.max(...both), ...ratiosOf('segment-step'), compiled];
  const readme = documents[0]!.replace(/\s+/g, ' ');
  const sentences = /The peak memory of a training step .* print all of these figures/.exec(readme)![0];
  expect(sentences.match(/\d\.\d\d/g)).toEqual(figures.map((figure) => figure.toFixed(2)));
});
