import { spawn } from 'node:child_process';

const exits = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * Runs a command on the user's terminal. A signal to this process goes on to the command, and this process waits for
 * it to end in its own way.
 *
 * @returns {Promise<number>} its exit status, as a shell counts it
 */
export async function inForeground(command, args, options = {}) {
  const child = spawn(command, args, { stdio: 'inherit', ...options });
  // On Ctrl-C the terminal has told the child already.
  const handlers = { SIGINT: () => {}, SIGTERM: () => child.kill('SIGTERM'), SIGHUP: () => child.kill('SIGHUP') };
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve(code ?? exits[signal] ?? 1));
    });
  } finally {
    for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler);
  }
}
