"""The feedback report as one page that needs nothing else: a table, and a bar for each line of it."""

from __future__ import annotations

from html import escape

from cds_service.hooks.register.reports import Line, Report

_WIDTH, _BAR, _LABELS = 680, 22, 310
_KINDS = (("accepted", "#1b6e3c"), ("overridden", "#8a3b12"), ("unanswered", "#c9ced6"))

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What became of the cards</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; color: #1a1d21; background: #fff; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; font-size: .875rem; }}
td:last-child {{ min-width: 14rem; }}
.wide {{ overflow-x: auto; }}
th, td {{ text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #c9ced6; vertical-align: top; }}
td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
svg {{ max-width: 100%; height: auto; }}
svg text {{ font: 13px system-ui, sans-serif; fill: #1a1d21; }}
.key span {{ display: inline-block; width: .9rem; height: .9rem; margin: 0 .35rem 0 1rem; vertical-align: -2px; }}
</style>
</head>
<body>
<main>
<h1>What became of the cards</h1>
<p>Each card counts once, by the latest answer to it. EHRs do not report a card that was ignored: it stays
unanswered.</p>
{body}
</main>
</body>
</html>
"""


def page(found: Report) -> str:
    """The whole page."""
    if not found.lines:
        return _PAGE.format(body="<p>No card has been registered yet.</p>")
    parts = [_key(), _plot(found.lines), _table(found.lines)]
    if found.unknown_cards:
        parts.append(f"<p>Feedback on {found.unknown_cards} card(s) that are not in this register.</p>")
    return _PAGE.format(body="\n".join(parts))


def _key() -> str:
    names = "".join(f'<span style="background:{colour}"></span>{name}' for name, colour in _KINDS)
    return f'<p class="key">{names}</p>'


def _counts(line: Line) -> tuple[int, int, int]:
    return line.accepted, sum(line.overridden.values()), max(0, line.unanswered)


def _plot(lines: tuple[Line, ...]) -> str:
    most = max(1, *(line.shown for line in lines))
    rows = []
    for number, line in enumerate(lines):
        top = number * (_BAR + 10)
        name = escape(f"{line.rule} {line.indicator} ({line.content_version[:7]})")
        rows.append(f'<text x="{_LABELS - 8}" y="{top + 16}" text-anchor="end">{name}</text>')
        left = float(_LABELS)
        for (kind, colour), count in zip(_KINDS, _counts(line), strict=True):
            width = count / most * (_WIDTH - _LABELS)
            if count:
                title = f"<title>{escape(line.rule)}: {count} {kind}</title>"
                box = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}"'
                rows.append(f'<rect {box} fill="{colour}" stroke="#1a1d21" stroke-width=".5">{title}</rect>')
            left += width
        words = ", ".join(f"{count} {kind}" for (kind, _), count in zip(_KINDS, _counts(line), strict=True) if count)
        rows.append(f'<text x="{left + 8:.1f}" y="{top + 16}">{escape(words)}</text>')
    height = len(lines) * (_BAR + 10)
    box = f'viewBox="0 0 {_WIDTH + 320} {height}" width="{_WIDTH + 320}" height="{height}"'
    return (
        f'<svg {box} role="img" aria-labelledby="plot-title"><title id="plot-title">Cards accepted, overridden and '
        f"unanswered by rule; the table below has the same numbers.</title>{''.join(rows)}</svg>"
    )


def _table(lines: tuple[Line, ...]) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Rule", "Indicator", "Content"))
    numbers = ("Shown", "Accepted", "Overridden", "Unanswered", "Silent mode")
    heads += "".join(f'<th scope="col" class="n">{name}</th>' for name in numbers)
    heads += '<th scope="col">Overridden because</th>'
    rows = []
    for line in lines:
        accepted, overridden, unanswered = _counts(line)
        cells = "".join(f"<td>{escape(text)}</td>" for text in (line.indicator, line.content_version))
        counts = (line.shown, accepted, overridden, unanswered, line.silent)
        cells += "".join(f'<td class="n">{count}</td>' for count in counts)
        why = "; ".join(f"{reason}: {count}" for reason, count in sorted(line.overridden.items()))
        rows.append(f'<tr><th scope="row">{escape(line.rule)}</th>{cells}<td>{escape(why)}</td></tr>')
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="Numbers"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
