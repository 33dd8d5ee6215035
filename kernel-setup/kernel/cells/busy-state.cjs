// What the thread that hears requests must know of the thread that runs cells, also while that one is busy.
const cooperative = 0;
const compiling = 1;
const heard = 2;
const stop = 3;

// How far the request to stop the busy thread's code is.
const none = 0;
const asked = 1;
const agreed = 2;

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

  /**
   * Whether the busy thread may be stopped where it is now: asks it, by running `offer` there, and waits for its answer.
   * If it agrees, it is held until `release`.
   */
  agreesToStop(offer) {
    Atomics.store(this.numbers, stop, asked);
    offer();
    Atomics.wait(this.numbers, stop, asked, 1000); // ms; native code may take longer
    return Atomics.compareExchange(this.numbers, stop, asked, none) === agreed;
  }

  /** Lets the busy thread, which agreed, go on: into the stop. */
  release() {
    Atomics.store(this.numbers, stop, none);
  }

  /** The busy thread's answer. If it agrees, it is held until V8 has been asked to stop it, and `prepare` is called. */
  answerStop(agrees, prepare) {
    if (Atomics.compareExchange(this.numbers, stop, asked, agrees ? agreed : none) !== asked) return;
    Atomics.notify(this.numbers, stop);
    if (!agrees) return;
    // Not by Atomics.wait: the code that is stopped may be in one, and V8 holds a thread in one only.
    while (Atomics.load(this.numbers, stop) === agreed);
    prepare();
  }
}

module.exports = { BusyState };
