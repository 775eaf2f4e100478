"use strict";
// Only comfort: without it the page shows the same, but for pictures of frames that were not chosen.
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const dots = data.dots.map(([x, y, at, number, time, order, isDamaged]) =>
  ({ x, y, at, number, time, order, isDamaged }));

const pictures = new Map(Object.entries(data.pictures).map(([number, link]) => [Number(number), link]));
for (const image of document.querySelectorAll("img[data-frame]")) {
  pictures.set(Number(image.dataset.frame), image.src);
}
const pictured = [...pictures.keys()].sort((a, b) => a - b);

function best(items, badness) {
  let found = null, least = Infinity;
  for (const item of items) {
    const value = badness(item);
    if (value < least) [found, least] = [item, value];
  }
  return found;
}

// --- map and timeline: point at a frame to see it ---------------------------------------------

const map = byId("map"), line = byId("line"), walk = byId("walk");

function show(dot) {
  const near = best(pictured, (number) => Math.abs(number - dot.number));
  const here = byId("here");
  here.setAttribute("cx", dot.x);
  here.setAttribute("cy", dot.y);
  byId("now").setAttribute("transform", `translate(${dot.at} 0)`);
  for (const mark of [here, byId("now")]) mark.removeAttribute("hidden");
  walk.value = dots.indexOf(dot);
  const state = dot.isDamaged ? " · damaged" : dot.order === null ? "" : ` · chosen as no. ${dot.order + 1}`;
  const hint = near === null || near === dot.number ? "" : ` (picture: frame ${near})`;
  byId("look-text").textContent = `frame ${dot.number} · ${dot.time}${state}${hint}`;
  walk.setAttribute("aria-valuetext", `frame ${dot.number}, ${dot.time}${state}`);
  const picture = byId("look-picture");
  picture.hidden = near === null;
  if (near !== null) picture.src = pictures.get(near);
}

function place(drawing, event) {
  const matrix = drawing.getScreenCTM().inverse();
  return new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
}

// A chosen frame is as easy to hit as its ring is large.
const under = (event) => {
  const { x, y } = place(map, event);
  return best(dots, (dot) => Math.hypot(dot.x - x, dot.y - y) - (dot.order === null ? 0 : 6));
};
const at = (event) => {
  const { x } = place(line, event);
  return best(dots, (dot) => Math.abs(dot.at - x));
};

if (dots.length) {
  byId("look").hidden = false;
  for (const kind of ["pointermove", "pointerdown"]) {
    map.addEventListener(kind, (event) => show(under(event)));
    line.addEventListener(kind, (event) => show(at(event)));
  }
  walk.addEventListener("input", () => show(dots[walk.valueAsNumber]));
  show(best(dots, (dot) => dot.order ?? Infinity) ?? dots[0]);
}

// --- the selected frames: sort them, enlarge one ----------------------------------------------

const list = byId("frames"), large = byId("large"), full = byId("large-picture");
let shown = null;

function enlarge(item) {
  if (!item) return;
  shown = item;
  const link = item.querySelector("a"), small = item.querySelector("img");
  full.alt = small.alt;
  // Where the folder with the frames is not beside the page.
  full.onerror = () => { full.onerror = null; full.src = small.src; };
  full.src = link.href;
  byId("large-text").textContent = item.querySelector(".about").innerText.replace(/\s+/g, " ");
  byId("back").disabled = !item.previousElementSibling;
  byId("next").disabled = !item.nextElementSibling;
  if (!large.open) large.showModal();
}

if (list) {
  byId("sort").hidden = false;
  byId("sort").addEventListener("change", (event) => {
    const key = event.target.value;
    list.append(...[...list.children].sort((a, b) => a.dataset[key] - b.dataset[key]));
  });
  list.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (!item || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    enlarge(item);
  });
  map.addEventListener("click", (event) => {
    enlarge(list.querySelector(`li[data-frame="${under(event).number}"]`));
  });
  byId("back").addEventListener("click", () => enlarge(shown.previousElementSibling));
  byId("next").addEventListener("click", () => enlarge(shown.nextElementSibling));
  large.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") enlarge(shown.previousElementSibling);
    if (event.key === "ArrowRight") enlarge(shown.nextElementSibling);
  });
  large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
}
