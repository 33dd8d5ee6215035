// `input()`: asks the person at the notebook, through Jupyter's stdin channel.
const { post } = require('./post.cjs');

class Input {
  #output;
  #waiting;

  constructor(output) {
    this.#output = output;
  }

  /**
   * @param {string} prompt
   * @param {{ password?: boolean }} options `password` hides what is typed
   * @returns {Promise<string>} what the person typed
   */
  async ask(prompt = '', { password = false } = {}) {
    const { cell } = this.#output;
    if (!cell?.allowStdin) {
      throw new Error('input() cannot ask anybody: this notebook runs without a user. Use a parameter instead');
    }
    if (this.#waiting?.cell === cell) throw new Error('input() is already waiting for an answer; await it first');
    post({ type: 'input_request', cell: cell.id, content: { prompt: String(prompt), password } });
    return new Promise((resolve) => {
      this.#waiting = { cell, resolve };
    });
  }

  take(value) {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(value);
  }
}

module.exports = { Input };
