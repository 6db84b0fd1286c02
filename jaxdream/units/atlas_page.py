"""The page of an atlas: one picture that zooms, with what is known of each cell."""

import json
from collections.abc import Sequence

from jaxdream.types import Size
from jaxdream.units.atlas import AtlasCells
from jaxdream.units.folder import About
from jaxdream.units.html import escaped, page

_STYLE = """
body { max-width: none; margin: 0; padding: 0; display: flex; flex-direction: column;
  height: 100vh; height: 100dvh; }
header { padding: .4rem 1rem; }
h1 { font-size: 1.2rem; margin: 0; }
p { margin: .2rem 0; font-size: .9rem; }
#map { flex: 1; overflow: hidden; position: relative; background: #101010; touch-action: none;
  cursor: grab; }
#map:focus-visible { outline: 3px solid #3b82f6; outline-offset: -3px; }
#all { position: absolute; left: 0; top: 0; transform-origin: 0 0; }
#all img { display: block; max-width: none; image-rendering: auto; }
#chosen { position: absolute; border: 2px solid #ffd400; box-sizing: border-box;
  pointer-events: none; }
"""

# One cell is chosen: that under the pointer, or that the arrow keys go to.
_SCRIPT = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const map = document.getElementById("map"), all = document.getElementById("all");
const chosen = document.getElementById("chosen"), told = document.getElementById("told");
const [high, wide] = data.cell, grid = data.grid;
const cells = new Map(data.cells.map(c => [c[0] * grid + c[1], c]));
let scale = 1, left = 0, top_ = 0, row = data.cells[0][0], column = data.cells[0][1];
const pointers = new Map();

function least() {
  return Math.min(map.clientWidth / (grid * wide), map.clientHeight / (grid * high));
}
function show() {
  all.style.transform = `translate(${left}px, ${top_}px) scale(${scale})`;
}
function whole() {
  scale = least();
  left = (map.clientWidth - scale * grid * wide) / 2;
  top_ = (map.clientHeight - scale * grid * high) / 2;
  show();
}
function zoom(factor, x, y) {
  const next = Math.min(Math.max(scale * factor, least() / 2), 16);
  left = x - (x - left) * next / scale;
  top_ = y - (y - top_) * next / scale;
  scale = next;
  show();
}
function choose(r, c) {
  row = Math.min(Math.max(r, 0), grid - 1);
  column = Math.min(Math.max(c, 0), grid - 1);
  Object.assign(chosen.style, { left: `${column * wide}px`, top: `${row * high}px`,
    width: `${wide}px`, height: `${high}px` });
  const cell = cells.get(row * grid + column);
  const about = cell === undefined ? "too few activations" :
    `${cell[2]} activations` + (cell[3] === null ? "" : `, nearest class: ${cell[3]}`);
  told.textContent = `Row ${row + 1}, column ${column + 1}: ${about}`;
}
function middle() {
  return [left + scale * (column + .5) * wide, top_ + scale * (row + .5) * high];
}
function keepInSight() {
  const [x, y] = middle();
  const marginX = Math.min(scale * wide, map.clientWidth / 2);
  const marginY = Math.min(scale * high, map.clientHeight / 2);
  left += Math.min(Math.max(x, marginX), map.clientWidth - marginX) - x;
  top_ += Math.min(Math.max(y, marginY), map.clientHeight - marginY) - y;
  show();
}
function place(event) {
  const box = map.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
map.addEventListener("wheel", event => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), ...place(event));
}, { passive: false });
map.addEventListener("pointerdown", event => {
  map.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, place(event));
});
map.addEventListener("pointermove", event => {
  const [x, y] = place(event), before = pointers.get(event.pointerId);
  if (before === undefined || pointers.size === 1) {
    choose(Math.floor((y - top_) / scale / high), Math.floor((x - left) / scale / wide));
  }
  if (before === undefined) return;
  const other = [...pointers].find(([id]) => id !== event.pointerId);
  if (other === undefined) {
    left += x - before[0];
    top_ += y - before[1];
    show();
  } else {
    const [ox, oy] = other[1];
    const apart = Math.hypot(before[0] - ox, before[1] - oy);
    if (apart > 0) zoom(Math.hypot(x - ox, y - oy) / apart, (x + ox) / 2, (y + oy) / 2);
  }
  pointers.set(event.pointerId, [x, y]);
});
for (const name of ["pointerup", "pointercancel"]) {
  map.addEventListener(name, event => pointers.delete(event.pointerId));
}
map.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  if (event.key in moves) {
    choose(row + moves[event.key][0], column + moves[event.key][1]);
    keepInSight();
  } else if (event.key === "+" || event.key === "=") {
    zoom(1.25, ...middle());
  } else if (event.key === "-") {
    zoom(0.8, ...middle());
  } else if (event.key === "0") {
    whole();
  } else {
    return;
  }
  event.preventDefault();
});
addEventListener("resize", whole);
choose(row, column);
whole();
"""


def atlas_page(
    about: About, cells: AtlasCells, grid: int, cell: Size, classes: Sequence[str] | None
) -> str:
    """The page beside ``atlas.png``.

    Args:
        cell: height and width of a cell in that picture, in pixels.
        classes: the name of each cell's nearest class.
    """
    layer, network = about.layers[0], about.network
    names = classes or [None] * len(cells.counts)
    data = {
        "grid": grid,
        "cell": list(cell),
        "cells": [
            [int(row), int(column), int(count), name]
            for row, column, count, name in zip(
                cells.rows, cells.columns, cells.counts, names, strict=True
            )
        ],
    }
    # In a page no text may end its script.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    title = f"Activation atlas of {layer} of {network}"
    height, width = grid * cell[0], grid * cell[1]
    body = (
        f"<header>\n<h1>{escaped(title)}</h1>\n<p>{about.read - about.failed} pictures. Drag to "
        "move, scroll or pinch to zoom; arrow keys, + and -, 0 for all.</p>\n"
        '<p id="told" role="status"></p>\n</header>\n'
        '<main id="map" tabindex="0" role="application" aria-describedby="told" '
        'aria-label="The atlas"><div id="all">\n'
        f'<img src="atlas.png" width="{width}" height="{height}" draggable="false" '
        f'alt="{grid} by {grid} cells, each a picture from noise of what its activations have in '
        'common"><div id="chosen"></div></div></main>\n'
        f'<script type="application/json" id="data">{text}</script>\n'
    )
    return page(title, body, style=_STYLE, script=_SCRIPT)
