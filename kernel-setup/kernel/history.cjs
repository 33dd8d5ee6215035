// The inputs of this kernel's life, as `history_request` asks for them.
const session = 1;

class History {
  #inputs = [];

  add(number, code) {
    this.#inputs.push([session, number, code]);
  }

  /** @returns {[number, number, string | [string, null]][]} session, line number, input */
  find({ hist_access_type: access, n, start, stop, pattern = '*', unique = false, output = false }) {
    let found = this.#inputs;
    if (access === 'range') found = found.filter(([, number]) => number >= start && number < (stop ?? Infinity));
    if (access === 'search') {
      const glob = globPattern(pattern);
      found = found.filter(([, , code]) => glob.test(code));
      if (unique) found = [...new Map(found.map((entry) => [entry[2], entry])).values()];
    }
    if (access !== 'range' && n !== undefined && n !== null) found = found.slice(-n);
    return output ? found.map(([one, number, code]) => [one, number, [code, null]]) : found;
  }
}

/** `*` for any text, `?` for one character and `[abc]` for one of these, as in file names. */
function globPattern(pattern) {
  const parts = pattern.replace(/\[(.[^\]]*)\]|[.+^${}()|[\]\\*?]/g, (mark, set) => {
    if (set !== undefined) return `[${set.replace(/[\\\]]/g, '\\$&')}]`;
    return { '*': '.*', '?': '.' }[mark] ?? `\\${mark}`;
  });
  return new RegExp(`^${parts}$`, 's');
}

module.exports = { History };
