"""``report.html``: one self-contained page without scripts, in the style of the service's own pages."""

from __future__ import annotations

from html import escape
from typing import Any

from cds_service.replay.sections import sections

# The colours of the service's stylesheet, copied because the page must work as a single file.
_STYLE = """
:root { color-scheme: light dark; --ground: #f6f7f8; --sheet: #fff; --ink: #17212a; --quiet: #4d5a66; --line: #d3dae0;
  --edge: #76838f; --accent: #17566b; --critical: #a3121f; --warning: #7c4700; --info: #17566b; --info-tint: #e9f3f6;
  --bar-critical: #b3323d; --bar-warning: #c98a2b; --bar-info: #7fb0c2; --step: #e3e9ed; }
@media (prefers-color-scheme: dark) { :root { --ground: #12181d; --sheet: #1a2228; --ink: #e8edf1; --quiet: #adbac5;
  --line: #34414a; --edge: #8696a3; --accent: #7cc8e6; --critical: #ff9d9d; --warning: #f3bd6a; --info: #7cc8e6;
  --info-tint: #15303b; --bar-critical: #e2747c; --bar-warning: #d9a04a; --bar-info: #4d8299; --step: #26313a; } }
*, *::before, *::after { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: break-word;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem clamp(.8rem, 3vw, 2rem) 3rem; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; } h1 { font-size: 1.6rem; margin: .6em 0 .4em; }
h2 { font-size: 1.2rem; margin: 0 0 .5em; } h3 { font-size: 1rem; margin: 1.2em 0 .4em; }
p, ul, table { margin: 0 0 .8em; } li { margin-bottom: .3em; } .quiet { color: var(--quiet); }
section { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px;
  padding: 1rem clamp(.8rem, 2vw, 1.25rem); margin: 0 0 1rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem; margin: 0 0 1rem; }
.figure { background: var(--sheet); border: 1px solid var(--line); border-top: 4px solid var(--accent);
  border-radius: 8px; padding: .8rem 1.1rem; }
.figure b { display: block; font-size: 2.2rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.figure p { margin: 0; }
.note { border-left: 4px solid var(--info); background: var(--info-tint); padding: .7rem 1rem; margin: 0 0 1rem;
  border-radius: 0 8px 8px 0; } .note > :last-child { margin-bottom: 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } caption { text-align: left; font-weight: 650; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 600; } tbody th { font-weight: 400; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.scroll { overflow-x: auto; } .many { columns: 16rem; font-size: .9rem; padding-left: 1.1rem; }
details > summary { cursor: pointer; font-weight: 600; min-height: 1.75rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.key span { display: inline-block; width: .85rem; height: .85rem; margin: 0 .4rem 0 1rem; border-radius: 2px;
  vertical-align: -1px; } .key span:first-child { margin-left: 0; }
svg { display: block; width: 100%; height: auto; margin: .3rem 0 .6rem; }
svg text { font-size: 13px; fill: var(--ink); } svg text.quiet, svg tspan.quiet { fill: var(--quiet); }
svg text.strong { font-weight: 650; } svg .grid { stroke: var(--line); } svg .interval { stroke: var(--ink);
  stroke-width: 1.3; fill: none; } svg .line { fill: none; stroke-width: 2; }
.accent { fill: var(--accent); background: var(--accent); } .accent-line { stroke: var(--accent); }
.critical { fill: var(--bar-critical); background: var(--bar-critical); }
.warning { fill: var(--bar-warning); background: var(--bar-warning); }
.warning-line { stroke: var(--bar-warning); } .step { fill: var(--step); }
.info { fill: var(--bar-info); background: var(--bar-info); }
@media print { body { background: #fff; } section, .figure { break-inside: avoid; } }
"""


def page(report: dict[str, Any]) -> str:
    """Return the page of a report."""
    body = "\n".join(sections(report))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>What the cards would have been</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>What the cards would have been</h1>\n{_lead(report)}\n{body}\n</main>\n</body>\n</html>\n"
    )


def _lead(report: dict[str, Any]) -> str:
    run = report["run"]
    return (
        f"<p>{report['patients']:,} patients, {report['openings']:,} openings of their charts, judged "
        f"{escape(report['openings_judged'])}. Content <code>{escape(report['content'][:12])}</code>, version "
        f"{escape(run['version'])}, {escape(run['began'][:10])}. Nobody has seen these cards.</p>"
    )
