// What a reader looks at first: the paper's four kinds, the best, median and worst, the failures.
// Every question here is chosen by a rule that is said beside it, none by hand.
function drawOverview(view, showOutcome) {
  const [run] = view.runs;
  document
    .getElementById("overview")
    .replaceChildren(kindsSection(view), extremesSection(view, run), failuresSection(view, run, showOutcome));
}

const percent = (value) => `${(100 * value).toFixed(1)}`;
const number = (value) => value.toLocaleString("en");

function means(view, rows) {
  return view.runs.map((run) => `${run.name} ${percent(mean(rows.map((row) => run.iou[row])))}`);
}

function section(title, rule, ...content) {
  return make("section", "", make("h2", "", title), make("p", "rule", rule), ...content);
}

// One group of the overview: a title, what is in it, and a card or the reason why there is none.
function group(title, about, content) {
  return make("div", "group", make("h3", "", title), make("p", "about", about), content);
}

function kindsSection(view) {
  const [run] = view.runs;
  const groups = [];
  const absent = [];
  for (const [place, kind] of meta.kinds.entries()) {
    const rows = rowsWhere(view, (row) => view.questions.kinds[row].includes(place));
    if (rows.length) {
      const about = `${number(rows.length)} questions; mean IoU, %: ${means(view, rows).join(", ")}`;
      groups.push(group(kind.title, about, buildCard(view, medianRow(run, rows))));
    } else {
      absent.push(make("p", "none", `${kind.title}: no question of this benchmark. ${kind.rule}`));
    }
  }
  const rule = `Of each kind the question at the median of ${run.name}’s IoU.`;
  const title = "The paper’s four kinds";
  return section(title, rule, make("div", "cards groups", ...groups), ...absent);
}

function extremesSection(view, run) {
  const unparseable = meta.outcomes.findIndex((outcome) => outcome.key === "unparseable");
  const read = rowsWhere(view, (row) => run.answers.outcome[row] !== unparseable);
  const title = `Best, median and worst of ${run.name}`;
  if (!read.length) return section(title, "No response of this run could be read.");
  const sorted = byIou(run, read);
  const best = read.find((row) => run.iou[row] === run.iou[sorted.at(-1)]);
  const groups = [
    ["Best", best],
    ["Median", medianRow(run, read)],
    ["Worst", sorted[0]],
  ].map(([name, row]) => group(name, `IoU ${run.iou[row].toFixed(2)}`, buildCard(view, row)));
  const rule = "By IoU, among the answers that could be read; of equal ones the first.";
  return section(title, rule, make("div", "cards groups", ...groups));
}

function failuresSection(view, run, showOutcome) {
  const { measure, count } = view.benchmark;
  const groups = meta.outcomes.toReversed().flatMap((outcome, fromLast) => {
    if (outcome.key === "good") return [];
    const place = meta.outcomes.length - 1 - fromLast;
    const rows = rowsWhere(view, (row) => run.answers.outcome[row] === place);
    const title = `${SYMBOLS[outcome.key]} ${outcomeTitle(place, measure)}`;
    const about = `${number(rows.length)} of ${number(count)} questions. ${outcome.rule}`;
    if (!rows.length) return [group(title, about, make("p", "none", "None."))];
    const button = make("button", "", `Show ${rows.length === 1 ? "it" : `all ${number(rows.length)}`}`);
    button.type = "button";
    button.addEventListener("click", () => showOutcome(place));
    return [group(title, about, make("div", "", button, buildCard(view, medianRow(run, rows))))];
  });
  const rule = `What went wrong, by the overlap with the ground truth; the question at the median IoU.`;
  return section(`Failures of ${run.name} by kind`, rule, make("div", "cards groups", ...groups));
}
