// What the thread that hears requests must know of the thread that runs cells, also while that one is busy.
const cooperative = 0;
const compiling = 1;
const heard = 2;
const stopAsked = 3;

class BusyState {
  /** @param memory shared by both threads */
  constructor(memory = new SharedArrayBuffer(4 * 4)) {
    this.memory = memory;
    this.numbers = new Int32Array(memory);
  }

  /** Whether the running cell asked for the interrupt's signal and is to end by itself. */
  get cooperative() {
    return Atomics.load(this.numbers, cooperative) === 1;
  }

  set cooperative(value) {
    Atomics.store(this.numbers, cooperative, value ? 1 : 0);
  }

  /** Whether the compiler is at work, which must not be stopped half-way. */
  get compiling() {
    return Atomics.load(this.numbers, compiling) > 0;
  }

  /** Runs the compiler. */
  whileCompiling(work) {
    Atomics.add(this.numbers, compiling, 1);
    try {
      return work();
    } finally {
      Atomics.sub(this.numbers, compiling, 1);
    }
  }

  /** How many requests to stop the busy thread has taken in. */
  get heard() {
    return Atomics.load(this.numbers, heard);
  }

  hear() {
    Atomics.add(this.numbers, heard, 1);
  }

  /** Holds the busy thread until V8 has been asked to stop it. */
  awaitStop() {
    Atomics.wait(this.numbers, stopAsked, 0, 1000);
    Atomics.store(this.numbers, stopAsked, 0);
  }

  stopWasAsked() {
    Atomics.store(this.numbers, stopAsked, 1);
    Atomics.notify(this.numbers, stopAsked);
  }
}

module.exports = { BusyState };
