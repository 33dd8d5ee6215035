// npm run campaign -- safetensors-fuzz [FILES]: damaged safetensors files, 20,000 by default, each by a seed of its own. The
// library's reader and pathlab's must take and refuse the same ones, but for what pathlab says that it refuses besides.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { key } from '../dist/base/index.js';
import { openSafetensors } from '../dist/engine/index.js';
import { writeCampaignResult } from './campaign-result.mjs';
import { mutated } from './mutate-safetensors.mjs';
import { peerPython } from './peer-environment.mjs';

const files = Number(process.argv[2] ?? 20_000);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const good = readFileSync(here('../test/fixtures/torch-safetensors/types.safetensors'));
const folder = mkdtempSync(join(tmpdir(), 'safetensors-fuzz-'));
const path = join(folder, 'file.safetensors');
const peer = spawn(peerPython('weights'), [here('peers/safetensors_reader.py')], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const answers = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();

/** What pathlab refuses although the library takes it. */
const stricter = [
  [/a name occurs twice/, 'a name that occurs twice, of which the library takes the last'],
  [/pathlab reads F64/, 'a type that TensorFlow.js has no exact place for'],
  [/header is not an object/, 'a space before the header, which by the format begins with a brace'],
  [/number in its header is not whole/, 'a fraction in a field that the format does not have'],
];

async function ours() {
  try {
    const { tensors, close } = await openSafetensors(path);
    await close();
    return {
      tensors: Object.fromEntries(Object.entries(tensors).map(([name, { dtype, shape }]) => [name, [dtype, shape]])),
    };
  } catch (error) {
    return { error: error.message };
  }
}

async function theirs(bytes) {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  peer.stdin.write(Buffer.concat([length, bytes]));
  const { value, done } = await answers.next();
  if (done) throw new Error('the peer ended');
  return JSON.parse(value);
}

const canonical = ({ tensors }) => JSON.stringify(Object.entries(tensors).sort());
const counts = { taken: 0, refused: 0, unclear: 0 };
const refusedBesides = Object.fromEntries(stricter.map(([, what]) => [what, 0]));
const disagreements = [];
for (let seed = 0; seed < files; seed++) {
  const { kind, bytes } = mutated(good, key('safetensors-fuzz').fold(seed).generator());
  writeFileSync(path, bytes);
  const [own, library] = [await ours(), await theirs(bytes)];
  const agree =
    'tensors' in own && 'tensors' in library
      ? canonical(own) === canonical(library)
      : 'error' in own === 'error' in library;
  counts['error' in own ? 'refused' : 'taken']++;
  if ('error' in own && !own.error.includes(path)) counts.unclear++;
  if (agree) continue;
  const besides = 'error' in own && stricter.find(([pattern]) => pattern.test(own.error));
  if (besides) refusedBesides[besides[1]]++;
  else disagreements.push({ seed, kind, own, library });
}
peer.stdin.end();
rmSync(folder, { recursive: true });
const { length } = disagreements;
writeCampaignResult('safetensors-fuzz', process.argv.slice(2), {
  files,
  ...counts,
  refusedBesides,
  disagreements: disagreements.slice(0, 50),
});
for (const { seed, kind, own, library } of disagreements.slice(0, 20)) {
  console.log(`seed ${seed}, ${kind}: pathlab ${own.error ?? 'takes it'}; the library ${library.error ?? 'takes it'}`);
}
console.log(`safetensors-fuzz: value ${files - length} of ${files} files are judged alike`);
process.exitCode = length === 0 && counts.unclear === 0 ? 0 : 1;
