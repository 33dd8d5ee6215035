const frames = ['|', '/', '-', '\\'];
const seconds = (since) => (performance.now() - since) / 1000;

/** Says which steps run and for how long: a moving line on a terminal, plain lines elsewhere. */
export class Progress {
  #tasks = new Set();
  #timer;
  #frame = 0;
  #terminal = process.stdout.isTTY === true;

  /** Whether a step has run. */
  didWork = false;

  say(text) {
    this.#clear();
    process.stdout.write(`${text}\n`);
  }

  /** Runs one step and says how long it took. `work` gets a function that takes the line to show beside the name. */
  async during(title, work) {
    const task = { title, since: performance.now(), detail: '', nextLine: 20 };
    this.didWork = true;
    this.#tasks.add(task);
    if (!this.#terminal) this.say(`${title} ...`);
    this.#timer ??= setInterval(() => this.#tick(), this.#terminal ? 120 : 1000).unref();
    let finished = false;
    try {
      const result = await work((detail) => {
        if (detail) task.detail = detail;
      });
      finished = true;
      return result;
    } finally {
      this.#tasks.delete(task);
      if (this.#tasks.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
      if (finished) this.say(`${title}: done (${seconds(task.since).toFixed(1)} s)`);
      else this.#clear();
    }
  }

  #clear() {
    if (this.#terminal) process.stdout.write('\r\x1b[K');
  }

  #tick() {
    if (this.#terminal) {
      this.#frame = (this.#frame + 1) % frames.length;
      const states = [...this.#tasks].map((task) => `${task.title} ${seconds(task.since).toFixed(0)} s ${task.detail}`);
      const width = Math.max(20, (process.stdout.columns || 80) - 3);
      process.stdout.write(`\r\x1b[K${frames[this.#frame]} ${states.join(' | ').slice(0, width)}`);
      return;
    }
    for (const task of this.#tasks) {
      if (seconds(task.since) < task.nextLine) continue;
      task.nextLine += 20;
      this.say(`${task.title}: ${seconds(task.since).toFixed(0)} s ${task.detail}`.slice(0, 160).trimEnd());
    }
  }
}
