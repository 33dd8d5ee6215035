import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkLinks } from '../../../src/cli/publish/links.js';

test('links of pages are resolved as browsers do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'links-'));
  try {
    const page = `<!-- <a href="in-comment.html"> --><script src='s.js'>"<a href='in-script.html'>"</script>
      <a title="a > b" href=other.html#here>1</a> <A HREF = 'a%20b&amp;c.txt?v=1'>2</A> <a href="#top">3</a>
      <img alt="<a href='in-text.html'>" src="data:image/png;base64,AA"> <a href="https://x.org/y#z">4</a>
      <a href="mailto:a@b.org">5</a> <a href="other.html#gone">6</a> <a href="../up.html">7</a> <a href="/root.html">8</a>
      <link rel="icon" href="none.ico"> <p id="top">`;
    writeFileSync(join(folder, 'index.html'), page);
    writeFileSync(join(folder, 'other.html'), '<p id=here>');
    for (const name of ['a b&c.txt', 's.js']) writeFileSync(join(folder, name), '');
    expect(checkLinks(folder, ['index.html', 'other.html', 'a b&c.txt', 's.js'])).toEqual({
      checked: 8,
      dead: [
        'index.html: other.html#gone: the page has no such place',
        'index.html: ../up.html: it leads out of the site',
        'index.html: /root.html: it leads out of the site',
        'index.html: none.ico: there is no such file',
      ],
      external: ['https://x.org/y#z', 'mailto:a@b.org'],
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
