"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);
const edits = JSON.parse(one("#edits").textContent);

// Every clip is a sheet of frames, drawn on a canvas; all follow one clock, so that they stay in step.
const sheets = new Map();
const players = new Set();

function player(span, pace) {
  const image = sheets.get(span.dataset.sheet);
  const canvas = document.createElement("canvas");
  const width = (canvas.width = Number(span.dataset.width));
  const height = (canvas.height = Number(span.dataset.height));
  const columns = Number(span.dataset.columns);
  const durations = span.dataset.durations.split(" ").map(Number);
  span.replaceChildren(canvas);
  return {
    canvas, durations, pace: pace || durations, shown: -1,
    draw(index) {
      if (index === this.shown || !image.complete || !image.naturalWidth) return;
      const left = (index % columns) * width, top = Math.floor(index / columns) * height;
      canvas.getContext("2d").drawImage(image, left, top, width, height, 0, 0, width, height);
      this.shown = index;
    },
  };
}

// The frame at a time, by the timing of the row's source; clips of other lengths play over the same time.
function frameAt(time, durations) {
  let left = time % durations.reduce((a, b) => a + b);
  let index = 0;
  while (left >= durations[index]) left -= durations[index++];
  return index;
}
const matched = (index, from, to) => Math.min(to - 1, Math.floor((index * to) / from));

function enlist(row) {
  const clips = all(".clip[data-sheet]", row);
  const source = row.querySelector("th .clip[data-sheet]") || clips[0];
  const pace = source && source.dataset.durations.split(" ").map(Number);
  for (const clip of clips) {
    const member = player(clip, pace);
    if (clip.parentElement.matches(".open")) {
      member.canvas.setAttribute("aria-hidden", "true");
    } else {
      member.canvas.setAttribute("role", "img");
      member.canvas.setAttribute("aria-label", "source");
    }
    players.add(member);
  }
}

const slider = one("#frame"), play = one("#play"), speed = one("#speed");
let playing = false, clock = 0, before = null, held = 0;

function show() {
  const most = Number(slider.max) + 1;
  for (const member of players) {
    const paced = playing ? frameAt(clock, member.pace) : matched(held, most, member.pace.length);
    member.draw(matched(paced, member.pace.length, member.durations.length));
  }
}
function tell(index) {
  slider.value = index;
  one("#frame-now").value = `${index + 1} / ${Number(slider.max) + 1}`;
}
function tick(now) {
  if (before !== null && playing) {
    clock += Math.min(now - before, 250) * Number(speed.value);
    const longest = [...players].find((member) => member.pace.length === Number(slider.max) + 1);
    if (longest) tell((held = frameAt(clock, longest.pace)));
  }
  before = now;
  show();
  requestAnimationFrame(tick);
}
function setPlaying(on) {
  playing = on;
  play.textContent = on ? "❚❚" : "▶";
  play.setAttribute("aria-label", on ? "Pause" : "Play");
  play.setAttribute("aria-pressed", String(on));
}
function hold(index) {
  const most = Number(slider.max) + 1;
  setPlaying(false);
  tell((held = ((index % most) + most) % most));
  const longest = [...players].find((member) => member.pace.length === most);
  if (longest) clock = longest.pace.slice(0, held).reduce((a, b) => a + b, 0);
}

if (slider) {
  for (const image of all(".clip img")) sheets.set(image.id.slice(1), image);
  all(".clips tbody").forEach(enlist);
  setPlaying(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  play.addEventListener("click", () => setPlaying(!playing));
  slider.addEventListener("input", () => hold(Number(slider.value)));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea, summary")) return;
    if (event.key === " " && !event.target.matches("button")) setPlaying(!playing);
    else if (event.key === "ArrowRight" && !event.target.matches(".scroll")) hold(held + 1);
    else if (event.key === "ArrowLeft" && !event.target.matches(".scroll")) hold(held - 1);
    else return;
    event.preventDefault();
  });

  // What of the grid is shown.
  const seed = one("#seed"), find = one("#find"), size = one("#size"), caption = one("#caption");
  const chooseSeed = () => {
    const wanted = seed ? seed.value : "*";
    one("#sheet").classList.toggle("all-seeds", wanted === "*" && Boolean(seed));
    for (const tile of all("figure[data-seed]")) tile.hidden = wanted !== "*" && tile.dataset.seed !== wanted;
  };
  const search = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of all(".clips tbody")) row.hidden = !words.every((word) => row.dataset.words.includes(word));
  };
  const label = () => {
    if (!caption) return;
    for (const button of all(".open")) {
      const scores = edits[button.dataset.edit].scores;
      button.closest("figure").querySelector(".value").textContent = caption.value ? scores[caption.value] || "–" : "";
    }
  };
  // As large as all columns fit beside each other, within reason; a choice of the user stays.
  const room = Math.floor(one("#sheet").clientWidth / one(".clips thead tr").cells.length) - 10;
  size.value = String(Math.max(128, Math.min(192, room - (room % 64))));
  const resize = () => document.documentElement.style.setProperty("--tile", `${size.value}px`);
  if (seed) seed.addEventListener("change", chooseSeed);
  find.addEventListener("input", search);
  size.addEventListener("change", resize);
  if (caption) caption.addEventListener("change", label);
  [chooseSeed, search, resize, label].forEach((update) => update());
  for (const box of all("input.arm")) {
    const update = () => all(`[data-arm="${box.value}"]`).forEach((part) => (part.hidden = !box.checked));
    box.addEventListener("change", update);
    update();
  }
  requestAnimationFrame(tick);

  // One edit beside its source, larger.
  const dialog = one("#closer");
  let visitors = [];
  for (const button of all(".open")) {
    button.addEventListener("click", () => {
      const edit = edits[button.dataset.edit];
      one("#closer-title").textContent = edit.prompt;
      const clips = [button.closest("tr").querySelector("th .clip"), button.querySelector(".clip")];
      const pair = one("#closer .pair");
      pair.replaceChildren(...clips.map((clip, index) => {
        const figure = document.createElement("figure"), text = document.createElement("figcaption");
        text.textContent = index ? edit.arm : `source: ${edit.source_prompt}`;
        figure.append(clip.cloneNode(!clip.dataset.sheet), text);
        return figure;
      }));
      const pace = (clips[0].dataset.durations || clips[1].dataset.durations || "100").split(" ").map(Number);
      visitors = all(".clip[data-sheet]", pair).map((clip) => player(clip, pace));
      visitors.forEach((visitor) => players.add(visitor));
      const facts = { clip: edit.clip, seed: edit.seed, file: edit.file, "edit s": edit.seconds, "tuning s": edit.tuning, ...edit.scores };
      one("#closer dl").replaceChildren(...Object.entries(facts).filter(([, value]) => value !== null).map(([name, value]) => {
        const line = document.createElement("div"), term = document.createElement("dt"), text = document.createElement("dd");
        term.textContent = name;
        text.textContent = value;
        line.append(term, text);
        return line;
      }));
      dialog.showModal();
    });
  }
  dialog.addEventListener("close", () => visitors.forEach((visitor) => players.delete(visitor)));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

// The table: which metrics, in which order.
const boxes = all("input.metric");
function choose() {
  const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  for (const part of all("[data-metric]")) part.hidden = !chosen.has(part.dataset.metric);
}
boxes.forEach((box) => box.addEventListener("change", choose));
for (const button of all("[data-metrics]")) {
  button.addEventListener("click", () => {
    boxes.forEach((box) => (box.checked = button.dataset.metrics === "all"));
    choose();
  });
}
if (boxes.length) choose();
const differences = one("#differences");
if (differences) differences.addEventListener("change", () => one(".metrics").classList.toggle("with-differences", differences.checked));
for (const header of all(".metrics thead th")) {
  header.querySelector("button").addEventListener("click", () => {
    const order = header.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    all(".metrics thead th").forEach((other) => other.setAttribute("aria-sort", other === header ? order : "none"));
    const value = (row) => row.children[header.cellIndex].dataset.value;
    const body = one(".metrics tbody"), sign = order === "ascending" ? 1 : -1;
    const known = (row) => Number(value(row) === undefined);
    body.append(...[...body.rows].sort((a, b) => known(a) - known(b) || sign * (value(a) - value(b))));
  });
}
document.addEventListener("click", (event) => {
  for (const menu of all(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of all(".menu[open]")) menu.open = false;
});
