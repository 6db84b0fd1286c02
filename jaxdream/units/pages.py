"""The pages about units: examples on the left, what was made from noise on the right."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxdream.units.examples import UnitExamples
from jaxdream.units.folder import About, StepDone
from jaxdream.units.html import escaped, link, page, write_text
from jaxdream.units.names import Chosen, unit_file, unit_label
from jaxdream.units.statistics import SHARES

_TOLD_EVERY = 100  # pages


def write_pages(
    examples: Mapping[str, UnitExamples],
    names: Mapping[int, str],
    about: About,
    chosen: Chosen,
    folder: Path,
) -> Iterator[StepDone]:
    """Write a page for each unit, and ``index.html`` with links to all.

    Args:
        names: of the pictures, by their numbers.

    Raises:
        JaxdreamError: a page cannot be written.
    """
    units = [(layer, channel) for layer, channels in chosen.items() for channel in channels]
    quantiles = {layer: examples[layer].statistics.quantiles() for layer in chosen}
    for i, (layer, channel) in enumerate(units):
        around = [units[i - 1] if i else None, units[i + 1] if i + 1 < len(units) else None]
        text = _unit_page(
            examples[layer], channel, names, around, quantiles[layer][channel], folder
        )
        write_text(folder / "units" / unit_file(layer, channel, ".html"), text)
        if (i + 1) % _TOLD_EVERY == 0:
            yield StepDone(f"{i + 1}/{len(units)} pages", (i + 1) / len(units))
    write_text(folder / "index.html", _index(examples, about, chosen))
    yield StepDone(f"{len(units)}/{len(units)} pages", 1.0)


def _index(examples: Mapping[str, UnitExamples], about: About, chosen: Chosen) -> str:
    height, width = about.size
    parts = [
        f"<h1>Units of {escaped(about.network)}</h1>\n"
        f"<p>{about.read - about.failed} pictures, shown at {width}x{height} pixels"
        + (f"; {about.failed} more could not be used" if about.failed else "")
        + ". Each unit has the parts of pictures that excite it most.</p>\n"
    ]
    if len(chosen) > 1:
        links = (f'<a href="#layer{i}">{escaped(layer)}</a>' for i, layer in enumerate(chosen))
        parts.append(f"<nav>{' '.join(links)}</nav>\n")
    for i, (layer, channels) in enumerate(chosen.items()):
        statistics = examples[layer].statistics
        parts.append(
            f'<h2 id="layer{i}">{escaped(layer)}</h2>\n<p>{len(channels)} of '
            f'{len(statistics.mean)} channels</p>\n<ul class="units">\n'
        )
        for channel in channels:
            label = escaped(unit_label(layer, channel))
            parts.append(
                f'<li><a href="units/{link(unit_file(layer, channel, ".html"))}"><img '
                f'loading="lazy" src="units/{link(unit_file(layer, channel))}" alt="Examples of '
                f'{label}">{channel}</a></li>\n'
            )
        parts.append("</ul>\n")
    return page(f"Units of {about.network}", "".join(parts))


def _unit_page(
    one: UnitExamples,
    channel: int,
    names: Mapping[int, str],
    around: Sequence[tuple[str, int] | None],
    quantiles: np.ndarray,
    folder: Path,
) -> str:
    label = unit_label(one.layer, channel)
    links = ['<a href="../index.html">all units</a>']
    for word, unit in zip(("previous", "next"), around, strict=True):
        if unit is not None:
            links.append(f'<a href="{link(unit_file(*unit, ".html"))}">{word}</a>')
    name = unit_file(one.layer, channel)
    rows = _example_rows(one, channel, names)
    body = (
        f"<nav>{' '.join(links)}</nav>\n<h1>{escaped(label)}</h1>\n"
        f'<div class="pair">\n<figure><img src="{link(name)}" alt="The {len(rows)} parts of '
        f'pictures that excite {escaped(label)} most, the strongest first"><figcaption>What '
        "excites it most in the pictures, and how much</figcaption></figure>\n"
        f"{_visualization(label, name, folder)}</div>\n"
        "<h2>Examples</h2>\n<table><tr><th>value</th><th>rows</th><th>columns</th>"
        f'<th class="name">picture</th></tr>\n{"".join(rows)}</table>\n'
        f"<h2>All values</h2>\n{_distribution(one, channel, quantiles)}"
    )
    return page(label, body)


def _visualization(label: str, name: str, folder: Path) -> str:
    if not os.path.exists(folder / "visualizations" / name):
        return "<p>No visualisation was made of it.</p>\n"
    return (
        f'<figure><img src="../visualizations/{link(name)}" alt="Made from noise to excite '
        f'{escaped(label)}"><figcaption>Made from noise to excite it</figcaption></figure>\n'
    )


def _example_rows(one: UnitExamples, channel: int, names: Mapping[int, str]) -> list[str]:
    s = one.statistics
    rows = []
    for value, number, box in zip(
        s.top_values[channel], s.top_pictures[channel], one.boxes[channel], strict=True
    ):
        if number >= 0:
            top, left, bottom, right = box.tolist()
            rows.append(
                f"<tr><td>{value:.5g}</td><td>{top} to {bottom - 1}</td><td>{left} to {right - 1}"
                f'</td><td class="name">{escaped(names[int(number)])}</td></tr>\n'
            )
    return rows


def _distribution(one: UnitExamples, channel: int, quantiles: np.ndarray) -> str:
    s = one.statistics
    rows = [("mean", s.mean[channel]), ("deviation", s.deviation[channel])]
    names = {0.0: "smallest", 0.5: "median", 1.0: "largest"}
    rows += [
        (names.get(share, f"quantile {share:g}"), value)
        for share, value in zip(SHARES, quantiles, strict=True)
    ]
    shown = "".join(f"<tr><th>{name}</th><td>{value:.5g}</td></tr>\n" for name, value in rows)
    zeros = f"<tr><th>exactly 0</th><td>{s.zero_share[channel]:.2%}</td></tr>\n"
    return f"<table>\n{shown}{zeros}</table>\n<p>Of {s.count:,} positions.</p>\n"
