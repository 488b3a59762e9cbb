"""The text of `model.html`: one page that classifies pictures dropped on it, without any network."""

from __future__ import annotations

from typing import Final

PAGE: Final = r"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@TITLE@</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
#drop { display: block; border: 2px dashed #888; border-radius: .5rem; padding: 2rem; text-align: center; cursor: pointer; }
#drop.over { border-color: #00897b; }
#seen { display: flex; gap: 1.5rem; margin: 1.5rem 0; flex-wrap: wrap; align-items: flex-start; }
#seen[hidden] { display: none; }
canvas { image-rendering: pixelated; width: 10rem; height: 10rem; border: 1px solid #8888; }
table { border-collapse: collapse; flex: 1; min-width: 16rem; }
td { padding: .15rem .5rem; } td:last-child { text-align: right; font-variant-numeric: tabular-nums; }
meter { width: 100%; }
figure { margin: 2rem 0; overflow-x: auto; } figure svg { max-width: 100%; height: auto; }
</style>
<h1>@TITLE@</h1>
<label id="drop" tabindex="0">Drop a picture here, or choose one
<input id="file" type="file" accept="image/*" hidden></label>
<div id="seen" hidden><canvas id="square"></canvas><table id="shares"></table></div>
<p id="time" role="status">Loading the network ...</p>
<figure>@DRAWING@<figcaption>The cells of this network. @ABOUT@</figcaption></figure>
<script type="application/octet-stream" id="model">@MODEL@</script>
<script type="application/octet-stream" id="wasm">@WASM@</script>
<script type="text/plain" id="loader">@LOADER@</script>
<script>@RUNTIME@</script>
<script>
"use strict";
const FACTS = @FACTS@;
const id = name => document.getElementById(name);
const bytes = name => Uint8Array.from(atob(id(name).textContent), letter => letter.charCodeAt(0));

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = bytes("wasm").buffer;
const loader = new Blob([atob(id("loader").textContent)], {type: "text/javascript"});
ort.env.wasm.wasmPaths = {mjs: URL.createObjectURL(loader)};
const session = ort.InferenceSession.create(bytes("model"), {executionProviders: ["wasm"]});

// The middle square, scaled as in training: a triangle as wide as a pixel of the smaller picture.
function weights(from, to, all, size) {
  const scale = (to - from) / size, wide = Math.max(scale, 1), found = [];
  for (let place = 0; place < size; place++) {
    const middle = from + (place + .5) * scale;
    const first = Math.max(0, Math.trunc(middle - wide + .5));
    const last = Math.min(all, Math.trunc(middle + wide + .5));
    const each = [];
    for (let x = first; x < last; x++) each.push(Math.max(0, 1 - Math.abs((x - middle + .5) / wide)));
    const sum = each.reduce((one, two) => one + two, 0);
    found.push([first, each.map(weight => weight / sum)]);
  }
  return found;
}

function squared(image) {
  const {data, width, height} = image, size = FACTS.size, side = Math.min(width, height);
  const left = (width - side) / 2, top = (height - side) / 2;
  const across = weights(left, left + side, width, size), down = weights(top, top + side, height, size);
  const rows = new Float64Array(height * size * 3), square = new Float64Array(size * size * 3);
  for (let y = 0; y < height; y++) across.forEach(([first, each], x) => {
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      each.forEach((weight, k) => { sum += weight * data[(y * width + first + k) * 4 + c]; });
      rows[(y * size + x) * 3 + c] = Math.min(255, Math.floor(sum + .5));
    }
  });
  down.forEach(([first, each], y) => {
    for (let x = 0; x < size; x++) for (let c = 0; c < 3; c++) {
      let sum = 0;
      each.forEach((weight, k) => { sum += weight * rows[((first + k) * size + x) * 3 + c]; });
      square[(y * size + x) * 3 + c] = Math.min(255, Math.floor(sum + .5));
    }
  });
  return square;
}

function tensor(square) {
  const {size, channels, mean, std} = FACTS, values = new Float32Array(channels * size * size);
  for (let place = 0; place < size * size; place++) {
    const colours = [0, 1, 2].map(c => square[place * 3 + c] / 255);
    const used = channels === 1 ? [(colours[0] + colours[1] + colours[2]) / 3] : colours;
    used.forEach((value, c) => { values[c * size * size + place] = (value - mean[c]) / std[c]; });
  }
  return new ort.Tensor("float32", values, [1, channels, size, size]);
}

function pixels(bitmap) {
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width; canvas.height = bitmap.height;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.fillStyle = "white"; context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

async function classified(blob) {
  const bitmap = await createImageBitmap(blob, {colorSpaceConversion: "none"});
  const square = squared(pixels(bitmap)), network = await session, began = performance.now();
  const {logits} = await network.run({images: tensor(square)});
  const milliseconds = performance.now() - began, values = Array.from(logits.data);
  const most = Math.max(...values), powers = values.map(value => Math.exp(value - most));
  const all = powers.reduce((one, two) => one + two, 0);
  const shares = powers.map((power, k) => ({name: FACTS.classes[k] ?? `class ${k}`, share: power / all}));
  shares.sort((one, two) => two.share - one.share);
  return {shares, milliseconds, square};
}

async function show(blob) {
  const {shares, milliseconds, square} = await classified(blob), size = FACTS.size;
  const canvas = id("square"); canvas.width = canvas.height = size;
  const image = new ImageData(size, size);
  for (let place = 0; place < size * size; place++)
    image.data.set([square[place * 3], square[place * 3 + 1], square[place * 3 + 2], 255], place * 4);
  canvas.getContext("2d").putImageData(image, 0, 0);
  id("shares").replaceChildren(...shares.slice(0, 5).map(({name, share}) => {
    const row = document.createElement("tr"), bar = document.createElement("meter");
    bar.value = share;
    [name, bar, `${(100 * share).toFixed(1)} %`].forEach(part => {
      const cell = document.createElement("td"); cell.append(part); row.append(cell);
    });
    return row;
  }));
  id("seen").hidden = false;
  id("time").textContent = `${milliseconds.toFixed(1)} ms in this browser`;
}

const tried = blob => show(blob).catch(() => { id("time").textContent = "This is no picture that the browser can read."; });
id("file").onchange = event => tried(event.target.files[0]);
id("drop").ondragover = event => { event.preventDefault(); id("drop").classList.add("over"); };
id("drop").ondragleave = () => id("drop").classList.remove("over");
id("drop").onkeydown = event => { if (event.key === "Enter") id("file").click(); };
id("drop").ondrop = event => {
  event.preventDefault(); id("drop").classList.remove("over"); tried(event.dataTransfer.files[0]);
};
session.then(() => { id("time").textContent = "Ready."; }, problem => { id("time").textContent = `The network cannot be loaded: ${problem}`; });
</script>
"""
