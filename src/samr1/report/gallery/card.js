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

function picture({ questions }, row, { name, answers }) {
  const [width, height] = questions.size[row];
  const svg = shape("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `Answer of ${name} with IoU ${answers.iou[row].toFixed(2)}`,
  });
  // A dark line below each bright one, so that it is seen on any image.
  const draw = (kind, d) => {
    for (const layer of ["under", "over"]) svg.append(shape("path", { class: `${kind} ${layer}`, d }));
  };
  const href = `data:image/webp;base64,${block(`image-${questions.image[row]}`)}`;
  svg.append(shape("image", { href, width, height, preserveAspectRatio: "none" }));
  if (answers.mask[row]) draw("mask", answers.mask[row]);
  if (questions.truth[row]) draw("truth", questions.truth[row]);
  if (answers.box[row]) draw("box", answers.box[row]);
  for (const [x, y, value] of answers.points[row]) {
    // A line without a length has round ends: a dot of one size on every screen.
    if (value) draw("point dot", `M${x},${y}h0`);
    else draw("point cross", `M${x - 5},${y - 5}l10,10m0,-10l-10,10`);
  }
  return svg;
}

function answerPanel(shown, row, run) {
  const { answers } = run;
  const said = answers.think[row];
  const facts = [`${shown.benchmark.measures[1]} IoU ${answers.other_iou[row].toFixed(2)}`];
  if (answers.label[row]) facts.unshift(`label “${answers.label[row]}”`);
  if (answers.status[row] !== "ok") facts.push(`parser: ${answers.status[row]}`);
  return make(
    "figure",
    "answer",
    make(
      "figcaption",
      "",
      make("span", "run", run.name),
      make("span", "iou", `IoU ${answers.iou[row].toFixed(2)}`),
      make("span", "outcome", meta.outcomes[answers.outcome[row]]),
    ),
    picture(shown, row, run),
    make("p", said ? "think" : "think quiet", said ?? "no thought"),
    make("p", "facts quiet", facts.join(" · ")),
    answers.text[row] === null ? null : make("pre", "response", answers.text[row]),
  );
}

function buildCard(shown, row) {
  const { questions } = shown;
  const enlarge = make("button", "enlarge", "Enlarge");
  enlarge.type = "button";
  enlarge.addEventListener("click", () => {
    enlarge.textContent = card.classList.toggle("large") ? "Make small" : "Enlarge";
  });
  const kinds = questions.kinds[row].map((kind) => make("span", "kind", meta.kinds[kind]));
  if (!questions.truth[row]) kinds.push(make("span", "kind", "Empty ground truth"));
  const card = make(
    "article",
    "card",
    make("div", "card-head", make("h2", "query", questions.query[row]), enlarge),
    make("p", "tags quiet", make("span", "id", questions.id[row]), ...kinds),
    make("div", "answers", ...shown.runs.map((run) => answerPanel(shown, row, run))),
  );
  return card;
}
