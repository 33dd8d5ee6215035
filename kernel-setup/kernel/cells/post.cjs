// Sends messages to the kernel's front process. Written at once and not when the event loop comes round: a cell that
// keeps it busy must not hold back its own output, and a crash must not lose it.
const { writeSync } = require('node:fs');
const { markOf } = require('../stream-markers.cjs');

const messages = 4;
const pauseCell = new Int32Array(new SharedArrayBuffer(4));
let number = 0;

function post(message) {
  number++;
  for (const descriptor of [1, 2]) writeAll(descriptor, Buffer.from(markOf(number)));
  writeAll(messages, Buffer.from(`${JSON.stringify({ ...message, number })}\n`));
}

function writeAll(descriptor, bytes) {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(descriptor, bytes, done);
    } catch (error) {
      // A child that shares the descriptor may have made it non-blocking; the front process reads all the time.
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(pauseCell, 0, 0, 1);
    }
  }
}

module.exports = { post };
