// One question with its answers. Everything that people or models wrote goes in as text.
function make(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content.filter((part) => part !== null));
  return element;
}

function shape(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const SYMBOLS = { good: "✓", poor_mask: "◐", wrong_object: "✗", unparseable: "?" };

function rectangle(style, [left, top, right, bottom]) {
  return shape("rect", {
    class: style,
    x: left,
    y: top,
    width: Math.max(0, right - left),
    height: Math.max(0, bottom - top),
  });
}

// A dark line below each bright one, so that it is seen on any image.
const underlaid = (draw, ...styles) => styles.map((style) => draw(style));

function groundTruth(view, row) {
  const { truth, truth_box: box } = view.questions;
  const draw =
    view.benchmark.measure === "box_iou"
      ? (style) => rectangle(style, box[row])
      : (style) => shape("path", { class: style, d: truth[row] });
  return underlaid(draw, "truth under", "truth line");
}

function pointMark([x, y, value]) {
  if (value === 1) return shape("circle", { class: "point", cx: x, cy: y, r: 5 });
  return shape("path", { class: "point cross", d: `M${x - 5},${y - 5}l10,10m0,-10l-10,10` });
}

function picture(view, row, { name, answers, iou }) {
  const [width, height] = view.questions.size[row];
  const svg = shape("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `Answer of ${name} with IoU ${iou[row].toFixed(2)}`,
  });
  svg.append(
    shape("image", {
      href: imageSource(view.questions.image[row]),
      width,
      height,
      preserveAspectRatio: "none",
    }),
  );
  const mask = answers.mask[row];
  if (mask) {
    svg.append(...underlaid((style) => shape("path", { class: style, d: mask }), "mask under", "mask"));
  }
  svg.append(...groundTruth(view, row));
  const box = answers.box[row];
  if (box) svg.append(...underlaid((style) => rectangle(style, box), "box under", "box line"));
  svg.append(...answers.points[row].map(pointMark));
  return svg;
}

function outcomeMark(outcome, measure) {
  const { key } = meta.outcomes[outcome];
  return make("span", `outcome outcome-${key}`, `${SYMBOLS[key]} ${outcomeTitle(outcome, measure)}`);
}

function outcomeTitle(outcome, measure) {
  const { title } = meta.outcomes[outcome];
  return measure === "box_iou" ? title.replace("mask", "box") : title;
}

function meter(value) {
  const bar = make("span", "meter", make("span", "meter-value"));
  bar.firstChild.style.width = `${100 * value}%`;
  return bar;
}

function answerPanel(view, row, run) {
  const { answers } = run;
  const said = answers.think[row];
  const other = view.benchmark.measure === "box_iou" ? "mask" : "box";
  const facts = [`${other} IoU ${answers[`${other}_iou`][row].toFixed(2)}`];
  if (answers.label[row]) facts.unshift(`label “${answers.label[row]}”`);
  if (answers.status[row] !== "ok") facts.push(`parser: ${answers.status[row]}`);
  return make(
    "figure",
    "answer",
    make(
      "figcaption",
      "",
      make("span", "run", run.name),
      make("span", "iou", `IoU ${run.iou[row].toFixed(2)}`),
      meter(run.iou[row]),
      outcomeMark(answers.outcome[row], view.benchmark.measure),
    ),
    picture(view, row, run),
    make("p", said ? "think" : "think none", said ?? "no thought"),
    make("p", "facts", facts.join(" · ")),
    answers.text[row] === null ? null : make("pre", "response", answers.text[row]),
  );
}

function buildCard(view, row) {
  const { questions } = view;
  const enlarge = make("button", "enlarge", "Enlarge");
  enlarge.type = "button";
  enlarge.addEventListener("click", () => {
    enlarge.textContent = card.classList.toggle("large") ? "Make small" : "Enlarge";
  });
  const kinds = questions.kinds[row].map((kind) => make("span", "kind", meta.kinds[kind].title));
  if (!questions.truth[row]) kinds.push(make("span", "kind", "Empty ground truth"));
  const card = make(
    "article",
    "card",
    make("div", "card-head", make("h4", "query", questions.query[row]), enlarge),
    make("p", "tags", make("span", "id", questions.id[row]), ...kinds),
    make("div", "answers", ...view.runs.map((run) => answerPanel(view, row, run))),
  );
  card.dataset.row = row;
  return card;
}
