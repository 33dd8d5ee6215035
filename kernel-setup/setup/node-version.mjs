// Imported before anything else, so that an old Node answers with a sentence instead of a syntax error. Hence the plain
// syntax here and in the entry files, which import all the rest dynamically.

const supported = { 20: 19, 22: 12, 24: 0 };

/** Why this version of Node cannot run pathlab, or undefined if it can. */
export function nodeFault(version) {
  const parts = version.split('.').map(Number);
  if (parts[0] in supported && parts[1] >= supported[parts[0]]) return undefined;
  const kind =
    parts[0] > 24 ? 'too new' : parts[0] < 20 || parts[0] in supported ? 'too old' : 'not a long-term release';
  return `Node ${version} is ${kind}: pathlab runs on Node 20 (20.19 or later), 22 (22.12 or later) and 24.`;
}

const fault = nodeFault(process.versions.node);
if (fault) {
  console.error(`set-up: ${fault}\n  Remedy: install Node 24 (nvm install 24), then run the command again.`);
  process.exit(1);
}
