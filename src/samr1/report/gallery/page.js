// The controls: what is chosen in them is what is shown, and stands in the address for a bookmark.
const form = document.getElementById("controls");
const controls = form.elements;
const list = new CardList(document.getElementById("list"));
let view = null;

// What the filters are when nothing is filtered.
const UNFILTERED = {
  text: "",
  kind: "",
  outcome0: "",
  from0: "0",
  to0: "1",
  outcome1: "",
  from1: "0",
  to1: "1",
  order: "",
};
const LAYERS = ["mask", "box", "truth"];
let wanted = {}; // what an address asks for, until the options that it names are there
let shownAddress = null;

// Offer [value, text] pairs; what was chosen stays so where it is still offered.
function fill(select, options, first = options[0][0]) {
  const chosen = wanted[select.name] ?? (select.options.length ? select.value : first);
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  select.value = options.some(([value]) => value === chosen) ? chosen : first;
}

const pairs = (names) => names.map((name) => [name, name]);

function fillRuns() {
  const { runs } = meta.benchmarks.find(({ name }) => name === controls.benchmark.value);
  fill(controls.run, pairs(runs));
  if (view && controls.beside.value === controls.run.value) {
    wanted.beside ??= view.runs[0].name; // the two change places
  }
  const others = runs.filter((name) => name !== controls.run.value);
  fill(controls.beside, [["", "nothing"], ...pairs(others)], others[0]);
}

// Of which outcome how many answers are, for each run; of which kind how many questions.
function fillFilters() {
  const count = (rows) => `(${number(rows.length)})`;
  for (const fieldset of document.querySelectorAll("fieldset[data-run]")) {
    const run = view.runs[fieldset.dataset.run];
    fieldset.hidden = fieldset.disabled = !run;
    if (!run) continue;
    fieldset.querySelector("legend").textContent = run.name;
    const select = fieldset.querySelector("select");
    const outcomes = meta.outcomes.map(({ key }, place) => {
      const rows = rowsWhere(view, (row) => run.answers.outcome[row] === place);
      return [key, `${outcomeTitle(place, view.benchmark.measure)} ${count(rows)}`];
    });
    fill(select, [["", "any"], ...outcomes]);
  }
  const kinds = meta.kinds.map(({ key, title }, place) => {
    const rows = rowsWhere(view, (row) => view.questions.kinds[row].includes(place));
    return [key, `${title.toLowerCase()} ${count(rows)}`];
  });
  fill(controls.kind, [["", "any"], ...kinds]);
  const orders = [
    ["", "as in the data set"],
    ["worst", `worst of ${view.runs[0].name} first`],
    ["best", `best of ${view.runs[0].name} first`],
  ];
  if (view.runs[1]) {
    orders.push(["gain", `gain over ${view.runs[1].name} first`]);
    orders.push(["loss", `loss to ${view.runs[1].name} first`]);
  }
  fill(controls.order, orders);
}

function matches(row) {
  const { questions, runs } = view;
  const text = controls.text.value.trim().toLowerCase();
  const kind = meta.kinds.findIndex(({ key }) => key === controls.kind.value);
  if (text && !`${questions.query[row]}\n${questions.id[row]}`.toLowerCase().includes(text)) {
    return false;
  }
  if (kind >= 0 && !questions.kinds[row].includes(kind)) return false;
  return runs.every(({ answers, iou }, place) => {
    const outcome = controls[`outcome${place}`].value;
    const from = controls[`from${place}`].value || 0;
    const to = controls[`to${place}`].value || 1;
    const { key } = meta.outcomes[answers.outcome[row]];
    return (!outcome || key === outcome) && iou[row] >= from && iou[row] <= to;
  });
}

function inOrder(rows) {
  const [run, beside] = view.runs;
  const value = {
    worst: (row) => run.iou[row],
    best: (row) => -run.iou[row],
    gain: (row) => beside.iou[row] - run.iou[row],
    loss: (row) => run.iou[row] - beside.iou[row],
  }[controls.order.value];
  return value ? rows.toSorted((a, b) => value(a) - value(b)) : rows;
}

function drawView() {
  const names = [controls.run.value, controls.beside.value].filter(Boolean);
  view = openView(controls.benchmark.value, names);
  document.body.classList.toggle("alone", view.runs.length === 1);
  const measure = view.benchmark.measure === "box_iou" ? "box IoU" : "gIoU";
  const rows = rowsWhere(view, () => true);
  document.getElementById("means").textContent =
    `${number(rows.length)} questions; ${measure}, %: ${means(view, rows).join(", ")}`;
  drawOverview(view, showOutcome);
  fillFilters();
}

function drawList() {
  const rows = inOrder(rowsWhere(view, matches));
  document.getElementById("count").textContent =
    `${number(rows.length)} of ${number(view.benchmark.count)} questions`;
  list.show(view, rows);
  shownAddress = address();
  location.replace(shownAddress);
}

function drawLayers() {
  for (const name of LAYERS) {
    document.body.classList.toggle(`hide-${name}`, !controls[name].checked);
  }
}

function clearFilters() {
  for (const [name, value] of Object.entries(UNFILTERED)) controls[name].value = value;
}

function showOutcome(place) {
  clearFilters();
  controls.outcome0.value = meta.outcomes[place].key;
  drawList();
  document.getElementById("all").scrollIntoView();
}

// The address says what is shown, so that a view can be kept or sent.
function address() {
  const kept = new URLSearchParams();
  for (const name of ["benchmark", "run", "beside"]) kept.set(name, controls[name].value);
  for (const [name, value] of Object.entries(UNFILTERED)) {
    if (controls[name].value !== value) kept.set(name, controls[name].value);
  }
  return `#${kept}`;
}

function openAddress() {
  if (location.hash === shownAddress) return; // the page itself has just written it
  wanted = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  clearFilters();
  fill(controls.benchmark, pairs(meta.benchmarks.map(({ name }) => name)));
  fillRuns();
  drawView();
  for (const name of ["text", "from0", "to0", "from1", "to1"]) {
    if (name in wanted) controls[name].value = wanted[name];
  }
  wanted = {};
  drawList();
}

function explain() {
  const { scale } = meta;
  const note = scale === "paper" ? "" : "Figures of the micro world are not comparable with published ones. ";
  document.getElementById("note").textContent =
    `Scale ${scale}. ${note}Over each image: the answer’s mask in green, its box and points in orange, and the ` +
    "ground truth as a line of white dots; below it the run’s thought and what it named.";
  const entries = [...meta.outcomes.map(({ key, title, rule }) => [`${SYMBOLS[key]} ${title}`, rule])];
  entries.push(...meta.kinds.map(({ title, rule }) => [title, rule]));
  entries.push([
    "IoU",
    "Of the answer’s mask with the ground truth at the original image’s size, ignored pixels counted as " +
      "target and an unreadable answer as 0 (protocol seg_zero); on LISA-Grounding, of the boxes.",
  ]);
  document
    .getElementById("rules")
    .replaceChildren(...entries.flatMap(([term, rule]) => [make("dt", "", term), make("dd", "", rule)]));
}

form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("input", ({ target }) => {
  if (LAYERS.includes(target.name)) return drawLayers();
  if (["benchmark", "run", "beside"].includes(target.name)) {
    fillRuns();
    drawView();
    wanted = {};
  }
  drawList();
});
document.getElementById("clear").addEventListener("click", () => {
  clearFilters();
  drawList();
});
document.getElementById("jump").addEventListener("click", () => {
  document.getElementById("all").scrollIntoView();
});
addEventListener("hashchange", openAddress);
addEventListener("beforeprint", () => list.fillForPrint(2));
explain();
openAddress();
