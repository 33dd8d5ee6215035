// Real pipes for a child's file descriptors 1 and 2. What Node's own `stdio: 'pipe'` gives is a socket, which programs
// that open /dev/stdout or /dev/stderr (shell scripts do) cannot use.
const koffi = require('koffi');

const library = koffi.load(process.platform === 'darwin' ? '/usr/lib/libSystem.B.dylib' : null);
const pipe = library.func('int pipe(_Out_ int *ends)');
const control = library.func('int fcntl(int descriptor, int command, ...)');
const setDescriptorFlags = 2; // F_SETFD
const closeOnExec = 1; // FD_CLOEXEC

/** @returns {{ readEnd: number, writeEnd: number }} file descriptors that no other child inherits */
function makePipe() {
  const ends = [-1, -1];
  if (pipe(ends) !== 0) throw new Error('the kernel could not make a pipe: too many files are open');
  for (const end of ends) control(end, setDescriptorFlags, 'int', closeOnExec);
  return { readEnd: ends[0], writeEnd: ends[1] };
}

module.exports = { makePipe };
