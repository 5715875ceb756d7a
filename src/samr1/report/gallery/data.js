// The data, which stands in the page as blocks of JSON. A block is read when it is first asked for;
// its text then leaves the page, so that nothing is held twice.
const blocks = new Map();

function block(id) {
  if (!blocks.has(id)) {
    const element = document.getElementById(id);
    blocks.set(id, JSON.parse(element.textContent));
    element.remove();
  }
  return blocks.get(id);
}

const meta = block("meta");

function imageSource(number) {
  const images = block(`images-${Math.floor(number / meta.imagesABlock)}`);
  return `data:image/webp;base64,${images[number % meta.imagesABlock]}`;
}

// What is on show: a benchmark's questions and one or two runs' answers to them, by row.
function openView(benchmarkName, runNames) {
  const number = meta.benchmarks.findIndex((benchmark) => benchmark.name === benchmarkName);
  const benchmark = meta.benchmarks[number];
  const runs = runNames.map((name) => {
    const answers = block(`answers-${number}-${benchmark.runs.indexOf(name)}`);
    return { name, answers, iou: answers[benchmark.measure] };
  });
  return { benchmark, questions: block(`questions-${number}`), runs };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// The rows for which `test` holds, in the order of the data set.
function rowsWhere(view, test) {
  return view.questions.id.map((_, row) => row).filter(test);
}

// Sorting is stable: equal IoUs keep the order of the data set.
function byIou(run, rows) {
  return rows.toSorted((a, b) => run.iou[a] - run.iou[b]);
}

const medianRow = (run, rows) => byIou(run, rows)[Math.floor((rows.length - 1) / 2)];
