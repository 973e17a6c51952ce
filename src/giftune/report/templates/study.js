"use strict";
const one = (selector) => document.querySelector(selector);
const data = JSON.parse(one("#data").textContent);
const steps = data.comparisons.flatMap((pair) => pair.questions.map((question) => ({ pair, question })));
const nameOf = ({ pair, question }) => `${pair.id}/${question}`;

// What the rater has done so far; it outlives a reload where the browser lets it.
const place = `giftune-study-${data.study}`;
const fresh = () => ({ rater: "", started: "", answers: {} });
let state = fresh();
try {
  const kept = JSON.parse(localStorage.getItem(place));
  if (kept && kept.rater && kept.answers) state = kept;
} catch {}
function keep() {
  try {
    localStorage.setItem(place, JSON.stringify(state));
  } catch {}
}
const answered = () => steps.filter((step) => nameOf(step) in state.answers).length;

// Clips are sheets of frames; all three follow one clock, by the timing of the source.
const images = new Map();
function image(name) {
  if (!images.has(name)) {
    const picture = new Image();
    picture.src = data.sheets[name].address;
    images.set(name, picture);
  }
  return images.get(name);
}
const canvases = ["source", "left", "right"].map((side) => one(`#${side}`));
let players = [], playing = !matchMedia("(prefers-reduced-motion: reduce)").matches, clock = 0, before = null;

function load(pair) {
  players = [];
  const pace = data.sheets[pair.source || pair.left].durations_ms;
  for (const canvas of canvases) {
    const name = pair[canvas.id];
    canvas.closest("figure").hidden = !name;
    if (!name) continue;
    const { width, height, columns, durations_ms } = data.sheets[name];
    Object.assign(canvas, { width, height });
    canvas.classList.toggle("pixels", width <= 160);
    const draw = (index) => {
      const picture = image(name);
      if (!picture.complete || !picture.naturalWidth) return;
      const left = (index % columns) * width, top = Math.floor(index / columns) * height;
      canvas.getContext("2d").drawImage(picture, left, top, width, height, 0, 0, width, height);
    };
    players.push({ draw, frames: durations_ms.length, pace });
  }
}
function frameAt(time, durations) {
  let left = time % durations.reduce((a, b) => a + b);
  let index = 0;
  while (left >= durations[index]) left -= durations[index++];
  return index;
}
function tick(now) {
  if (before !== null && playing) clock += Math.min(now - before, 250);
  before = now;
  for (const { draw, frames, pace } of players) {
    draw(Math.min(frames - 1, Math.floor((frameAt(clock, pace) * frames) / pace.length)));
  }
  requestAnimationFrame(tick);
}
function setPlaying(on) {
  playing = on;
  one("#play").textContent = on ? "Pause" : "Play";
  one("#play").setAttribute("aria-pressed", String(on));
}

// One question at a time.
let current = 0, since = 0;
function screen(name) {
  for (const section of document.querySelectorAll("section")) section.hidden = section.id !== name;
  scrollTo(0, 0);
}
function ask(index) {
  current = index;
  const step = steps[index], { pair, question } = step;
  screen("ask");
  one("#question").textContent = data.questions[question];
  one("#prompt").textContent = pair.prompt;
  one("#caption").textContent = pair.caption;
  one("#source").setAttribute("aria-label", `The clip before: ${pair.caption}`);
  one("#count").textContent = `question ${index + 1} of ${steps.length}`;
  one("#progress").max = steps.length;
  one("#progress").value = answered();
  one("#back").disabled = index === 0;
  const chosen = (state.answers[nameOf(step)] || {}).side;
  for (const button of document.querySelectorAll("[data-side]")) {
    button.setAttribute("aria-pressed", String(button.dataset.side === chosen));
  }
  if (!index || steps[index - 1].pair !== pair || !players.length) clock = 0;
  load(pair);
  const next = data.comparisons[data.comparisons.indexOf(pair) + 1];
  if (next) [next.source, next.left, next.right].filter(Boolean).forEach(image);
  one("#question").focus({ preventScroll: true });
  since = performance.now();
}
const forward = () => (current + 1 < steps.length ? ask(current + 1) : finish());
function answer(side) {
  const seconds = (performance.now() - since) / 1000;
  if (seconds < 0.3) return; // the same press twice
  state.answers[nameOf(steps[current])] = { side, seconds: Math.round(seconds * 10) / 10 };
  keep();
  forward();
}
function record() {
  const answers = steps.filter((step) => nameOf(step) in state.answers).map((step) => (
    { comparison: step.pair.id, question: step.question, ...state.answers[nameOf(step)] }));
  const { rater, started } = state;
  return JSON.stringify({ format: data.format, study: data.study, rater, started, saved: new Date().toISOString(), answers }, null, 1);
}
function finish() {
  players = [];
  screen("end");
  const missing = steps.length - answered();
  one("#summary").textContent = `${state.rater}: ${answered()} of ${steps.length} questions are answered` +
    (missing ? `, ${missing} ${missing === 1 ? "is" : "are"} open.` : ".");
  one("#answers").value = record();
  one("#thanks").focus();
}
function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([record()], { type: "application/json" }));
  link.download = `answers-${data.study}-${state.rater.replace(/[^\w-]+/g, "_")}.json`;
  document.body.append(link);
  link.click();
  link.remove();
}
const firstOpen = () => steps.findIndex((step) => !(nameOf(step) in state.answers));
function goOn() {
  const open = firstOpen();
  if (open < 0) finish();
  else ask(open);
}

one("#who").addEventListener("submit", (event) => {
  event.preventDefault();
  const random = [...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  state = { ...fresh(), rater: one("#rater").value.trim() || `rater-${random}`, started: new Date().toISOString() };
  keep();
  goOn();
});
for (const button of document.querySelectorAll("[data-side]")) {
  button.addEventListener("click", () => answer(button.dataset.side));
}
const back = () => current > 0 && ask(current - 1);
one("#back").addEventListener("click", back);
one("#skip").addEventListener("click", forward);
one("#stop").addEventListener("click", finish);
one("#play").addEventListener("click", () => setPlaying(!playing));
one("#save").addEventListener("click", save);
one("#again").addEventListener("click", () => ask(Math.max(0, firstOpen())));
one("#other").addEventListener("click", () => {
  if (!confirm("Your answers are removed from this device. Have you saved them?")) return;
  state = fresh();
  try {
    localStorage.removeItem(place);
  } catch {}
  one("#rater").value = "";
  screen("start");
  one("#rater").focus();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || one("#ask").hidden) return;
  if (event.key === "ArrowLeft") answer("left");
  else if (event.key === "ArrowRight") answer("right");
  else if (event.key === "Backspace") back();
  else if (event.key === " " && !event.target.matches("button")) setPlaying(!playing);
  else return;
  event.preventDefault();
});
setPlaying(playing);
requestAnimationFrame(tick);
if (state.rater) goOn();
