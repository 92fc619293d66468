"""Grouped horizontal bars in SVG, each group with the limit that it cannot pass."""

from html import escape

WIDTH, LABELS, BAR, GAP = 760, 130, 11, 12
COLOURS = ["#2f6fb0", "#d08a2e", "#7a7a7a"]
FONT = 'font-family="system-ui, sans-serif" font-size="12"'


def _text(x, y, words, anchor="start", colour="#444", weight="normal"):
    halo = 'stroke="#fff" stroke-width="3" paint-order="stroke"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}" {halo}>{escape(words)}</text>'


def _group(name, values, limit, scale, top):
    """A name, a bar for each value, and a stroke at the limit."""
    height = BAR * len(values)
    x = LABELS + limit * scale
    parts = [
        f'<line x1="{x:.1f}" y1="{top - 3:.1f}" x2="{x:.1f}" y2="{top + height + 2:.1f}" stroke="#b03030" stroke-width="2"/>',
        _text(LABELS - 8, top + height / 2 + 4, name, "end")]
    for index, value in enumerate(values):
        if value is None:
            continue
        y, length = top + index * BAR, value * scale
        parts.append(f'<rect x="{LABELS}" y="{y:.1f}" width="{length:.1f}" height="{BAR - 1}" fill="{COLOURS[index]}"/>')
        parts.append(_text(LABELS + length + 5, y + 9, f"{value:,.{0 if value >= 100 else 1}f} ({value / limit:.0%})"))
    return parts


def bars(panels, series):
    """Panels, each a title and groups of (name, values, limit), with one colour for each of the series."""
    top, parts = 24, []
    for index, name in enumerate(series + ["the limit, measured"]):
        x, colour = LABELS + 170 * index, (COLOURS[:len(series)] + ["#b03030"])[index]
        parts += [f'<rect x="{x}" y="{top - 10}" width="10" height="10" fill="{colour}"/>', _text(x + 16, top, name)]
    for title, groups in panels:
        if not groups:
            continue
        top += 34
        parts.append(_text(10, top, title, weight="bold", colour="#222"))
        top += 14
        scale = (WIDTH - LABELS - 90) / max(max([limit] + [value or 0 for value in values]) for _, values, limit in groups)
        for name, values, limit in groups:
            parts += _group(name, values, limit, scale, top)
            top += BAR * len(values) + GAP
    height = top + 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" {FONT}>'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', *parts, "</svg>"]) + "\n"
