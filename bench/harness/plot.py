"""Draws a run's figures: RESULTS.json -> FOLDER/report.html with an SVG a plot. Needs matplotlib (Debian: python3-matplotlib).

A program of its own, since matplotlib may be at home in another python3 than the one that measures: `find_python()`.
"""
import html
import json
import subprocess
import sys
from pathlib import Path

# Told apart by people who see no red and green, too; krait's own is the first.
KRAIT, OTHERS = "#0072b2", ["#999999", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000"]

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0;font-size:.85rem;display:block;overflow-x:auto}
td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}img{max-width:100%}.note{color:#666;font-size:.85rem}"""


def find_python():
    """A python3 that has matplotlib, or None."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import matplotlib"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def colours(names):
    rest = iter(OTHERS * (len(names) // len(OTHERS) + 1))
    first = [n for n in names if "krait" in n]
    return {n: KRAIT if n in first[:1] else next(rest) for n in names}


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def draw_bars(plot, axes):
    """Lying bars, so that names can be read; the values stand at their ends."""
    groups = plot["groups"]
    labels = list(dict.fromkeys(label for group in groups.values() for label in group))
    height = 0.8 / len(groups)
    colour = colours(list(groups))
    for g, (group, values) in enumerate(groups.items()):
        places = [i + (g - (len(groups) - 1) / 2) * height for i, label in enumerate(labels) if label in values]
        lengths = [values[label] for label in labels if label in values]
        shades = colour[group] if len(groups) > 1 else [KRAIT if "krait" in label else OTHERS[0] for label in labels if label in values]
        bars = axes.barh(places, lengths, height=height * 0.9, color=shades, label=group)
        axes.bar_label(bars, [number(v) for v in lengths], padding=3, fontsize=8)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel(plot["unit"])
    axes.margins(x=0.12)
    if plot["log"]:
        axes.set_xscale("log")
    if len(groups) > 1:
        axes.legend(fontsize=8)
    return len(labels) * max(1, len(groups) * 0.6)


def draw_curve(plot, axes):
    colour = colours(list(plot["series"]))
    for name, points in plot["series"].items():
        axes.plot([p[0] for p in points], [p[1] for p in points], marker="o", markersize=4, color=colour[name], label=name)
    axes.set_xlabel(plot["x"])
    axes.set_ylabel(plot["y"])
    if plot["log_x"]:
        axes.set_xscale("log")
    if plot["log_y"]:
        axes.set_yscale("log")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=8)
    return 12


def draw(plot, path):
    import matplotlib  # here: the rest of this file serves pythons without it
    matplotlib.use("svg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8, 4))
    lines = (draw_bars if plot["kind"] == "bars" else draw_curve)(plot, axes)
    figure.set_size_inches(8, 1.2 + 0.28 * lines)
    axes.set_title(plot["title"], loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="svg", bbox_inches="tight")
    pyplot.close(figure)


def table_html(table):
    def row(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"
    note = f'<p class="note">{html.escape(table["note"])}</p>' if table["note"] else ""
    return "<table>" + row(table["header"], "th") + "".join(row(r, "td") for r in table["rows"]) + "</table>" + note


def page(results, folder):
    machine = results["machine"]
    about = (f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, load {machine['load']:.1f} at the start; "
             f"commit {results['commit']}; {results['date']}")
    parts = [f"<!doctype html><meta charset=utf-8><title>krait: figures</title><style>{STYLE}</style>",
             f'<h1>krait: figures</h1><p class="note">{html.escape(about)}</p>',
             f'<p class="note"><code>{html.escape(results["command"])}</code></p>']
    for section in results["sections"]:
        parts.append(f"<h2>{html.escape(section['title'])}</h2>")
        for number, plot in enumerate(section["plots"], 1):
            name = f"{section['name']}-{number}.svg"
            draw(plot, folder / name)
            parts.append(f'<p><img src="{name}" alt="{html.escape(plot["title"])}"></p>')
        parts += [table_html(t) for t in section["tables"]]
        parts += [f'<p class="note">Left out: {html.escape(x)}</p>' for x in section["left_out"]]
        parts += [f"<p>Failed: {html.escape(n)}: {html.escape(why)}</p>" for n, why in section["failures"].items()]
    (folder / "report.html").write_text("\n".join(parts) + "\n", encoding="utf-8")


def main():
    results, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    page(json.loads(results.read_text(encoding="utf-8")), folder)
    print(f"report: {folder / 'report.html'}")


if __name__ == "__main__":
    main()
