/** The gallery's style sheet, which is inlined. */
export const galleryStyle = `
:root { color-scheme: light dark; --ink: #1f2933; --faint: #52606d; --paper: #f5f7f9; --card: #fff; --line: #d9dfe5;
  --accent: #0b5c94; --good: #0b6b4d; --bad: #a63200; --note: #7a3e6b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --faint: #a3b0bd; --paper: #14181d; --card: #1d232a;
  --line: #343d47; --accent: #7cc0f0; --good: #5fd0a5; --bad: #ff9d73; --note: #e0a5cf; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem); max-width: 76rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, "Segoe UI", "Source Sans 3", "DejaVu Sans", sans-serif; }
header p { max-width: 46rem; color: var(--faint); margin-top: 0; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0; }
a { color: var(--accent); }
main { display: grid; gap: 1.5rem; margin: 2rem 0; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.25rem 1.5rem;
  min-width: 0; }
.facts { display: flex; flex-wrap: wrap; gap: .4rem .75rem; align-items: center; margin: .5rem 0 1rem;
  color: var(--faint); font-size: .9rem; }
.tag { border: 1px solid currentColor; border-radius: 999px; padding: 0 .6rem; font-size: .85rem; }
.finished { color: var(--good); } .failed, .interrupted, .edited { color: var(--bad); } .synthetic { color: var(--note); }
.problem { color: var(--bad); border-left: 3px solid; padding: .25rem .75rem; margin: 0 0 1rem; max-height: 12rem;
  overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }
.content { display: flex; flex-wrap: wrap; gap: 1.25rem 2rem; align-items: flex-start; }
.content img { flex: 2 1 24rem; min-width: 0; max-width: min(100%, 46rem); height: auto; background: #fff;
  border: 1px solid var(--line); border-radius: 6px; padding: .25rem; }
.parameters { margin: -.5rem 0 1rem; font-size: .9rem; color: var(--faint); overflow-wrap: anywhere; }
.seeds { overflow-x: auto; margin-top: 1.25rem; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .75rem .3rem 0; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
thead th { border-bottom: 1px solid var(--line); color: var(--faint); font-weight: 400; }
th:first-child { text-align: left; font-weight: 400; white-space: normal; min-width: 12rem; }
details { margin-top: 1rem; font-size: .9rem; } summary { cursor: pointer; color: var(--accent); }
details ul { padding-left: 1.2rem; } details time { color: var(--faint); }
dl { flex: 1 1 16rem; min-width: 0; margin: 0; display: grid; gap: .9rem; }
dt { color: var(--faint); font-size: .9rem; overflow-wrap: anywhere; } dd { margin: 0; }
dd strong { font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.interval, .about { display: block; font-size: .85rem; color: var(--faint); overflow-wrap: anywhere; }
.folder { margin: 1rem 0 0; font-size: .8rem; color: var(--faint); overflow-wrap: anywhere; }
.links { display: flex; flex-wrap: wrap; gap: .25rem 1rem; font-size: .9rem; margin: .75rem 0 0; }
footer { color: var(--faint); font-size: .85rem; }
`;
