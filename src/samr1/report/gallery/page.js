// The data stands in the page as blocks of JSON; each is read when it is first asked for.
const blocks = new Map();

function block(id) {
  if (!blocks.has(id)) blocks.set(id, JSON.parse(document.getElementById(id).textContent));
  return blocks.get(id);
}

const meta = block("meta");
const choiceForm = document.getElementById("choice");
const filterForm = document.getElementById("filters");
const choice = choiceForm.elements;
const filters = filterForm.elements;
const list = document.getElementById("list");
const more = document.getElementById("more");
const BATCH = 60; // divides evenly into rows of 1 to 6 cards
let shown = null; // a benchmark's questions and one or two runs' answers to them, by row
let rows = []; // of the questions that pass the filters, in their order

// Offer [value, text] pairs; what was chosen stays so where it is still offered.
function fill(select, options, first = options[0][0]) {
  const chosen = select.options.length ? select.value : first;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  select.value = options.some(([value]) => value === chosen) ? chosen : first;
}

const count = (number) => number.toLocaleString("en");
const pairs = (names) => names.map((name) => [name, name]);

function fillRuns() {
  const { runs } = meta.benchmarks.find(({ name }) => name === choice.benchmark.value);
  fill(choice.run, pairs(runs));
  const stoodBeside = choice.beside.value === choice.run.value;
  const others = runs.filter((name) => name !== choice.run.value);
  fill(choice.beside, [["", "nothing"], ...pairs(others)], others[0] ?? "");
  if (stoodBeside && shown) choice.beside.value = shown.runs[0].name; // the two change places
}

function openChoice() {
  const number = meta.benchmarks.findIndex(({ name }) => name === choice.benchmark.value);
  const benchmark = meta.benchmarks[number];
  const runs = [choice.run.value, choice.beside.value].filter(Boolean).map((name) => {
    return { name, answers: block(`answers-${number}-${benchmark.runs.indexOf(name)}`) };
  });
  shown = { benchmark, runs, questions: block(`questions-${number}`) };
  list.classList.toggle("alone", runs.length === 1);
}

// How many answers of each run have each outcome, how many questions are of each kind.
function fillFilters() {
  const counted = (titles, values) => [
    ["", "any"],
    ...Object.entries(titles).map(([key, title]) => {
      return [key, `${title} (${count(values.filter((value) => value.includes(key)).length)})`];
    }),
  ];
  for (const [place, fieldset] of document.querySelectorAll(".of-run").entries()) {
    const run = shown.runs[place];
    fieldset.hidden = fieldset.disabled = !run;
    if (!run) continue;
    fieldset.querySelector("legend").textContent = run.name;
    fill(filters[`outcome${place}`], counted(meta.outcomes, run.answers.outcome));
  }
  fill(filters.kind, counted(meta.kinds, shown.questions.kinds));
}

function matches(row) {
  const { questions, runs } = shown;
  const text = filters.text.value.trim().toLowerCase();
  if (!`${questions.query[row]}\n${questions.id[row]}`.toLowerCase().includes(text)) return false;
  if (filters.kind.value && !questions.kinds[row].includes(filters.kind.value)) return false;
  return runs.every(({ answers }, place) => {
    const [outcome, from, to] = ["outcome", "from", "to"].map((name) => filters[name + place].value);
    const iou = answers.iou[row];
    return (!outcome || outcome === answers.outcome[row]) && iou >= (from || 0) && iou <= (to || 1);
  });
}

function drawList() {
  const [iou, other = iou] = shown.runs.map(({ answers }) => answers.iou);
  const order = {
    worst: (row) => iou[row],
    best: (row) => -iou[row],
    gain: (row) => other[row] - iou[row],
    loss: (row) => iou[row] - other[row],
  }[filters.order.value];
  rows = [...shown.questions.id.keys()].filter(matches);
  if (order) rows.sort((a, b) => order(a) - order(b));
  const means = shown.runs.map(({ name, answers }) => {
    const sum = rows.reduce((total, row) => total + answers.iou[row], 0);
    return `${name} ${((100 * sum) / rows.length).toFixed(1)}`;
  });
  document.getElementById("count").textContent =
    `${count(rows.length)} of ${count(shown.questions.id.length)} questions` +
    (rows.length ? `; mean ${shown.benchmark.measures[0]} IoU, %: ${means.join(", ")}` : "");
  list.replaceChildren();
  drawMore();
  // The address says what is shown, so that a view can be kept or sent.
  const kept = [choiceForm, filterForm].flatMap((form) => [...new FormData(form)]);
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
}

// Cards are made in batches as their place comes near the window: thousands would take long.
function drawMore() {
  const next = rows.slice(list.children.length, list.children.length + BATCH);
  list.append(...next.map((row) => buildCard(shown, row)));
  observer.unobserve(more);
  if (list.children.length < rows.length) observer.observe(more);
}

const observer = new IntersectionObserver(
  (entries) => {
    if (entries.some((entry) => entry.isIntersecting)) drawMore();
  },
  { rootMargin: "1500px 0px" },
);

function openAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const take = (controls) => {
    for (const control of controls) {
      const value = wanted.get(control.name);
      const offered = !control.options || [...control.options].some((one) => one.value === value);
      if (value !== null && offered) control.value = value;
    }
  };
  fill(choice.benchmark, pairs(meta.benchmarks.map(({ name }) => name)));
  take([choice.benchmark]);
  fillRuns();
  take([choice.run]);
  fillRuns();
  take([choice.beside]);
  openChoice();
  fillFilters();
  take(filters);
  drawList();
}

for (const form of [choiceForm, filterForm]) {
  form.addEventListener("submit", (event) => event.preventDefault());
}
choiceForm.addEventListener("input", () => {
  fillRuns();
  openChoice();
  fillFilters();
  drawList();
});
filterForm.addEventListener("input", drawList);
filterForm.addEventListener("reset", () => setTimeout(drawList)); // once the controls are as at first
openAddress();
