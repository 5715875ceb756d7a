// A picture, a question, an answer. All that the model or the server says becomes text, never markup.
"use strict";

const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const EXAMPLE = "the blue triangle that is left of the red circle";
const about = fetch("about").then((reply) => reply.json());
let picture = null; // the file that is asked about
let shown = null; // its address in the page
let latest = null; // the file chosen last, which an older one does not replace
let number = 0; // of the answer that is waited for; an older one comes too late

function say(text, wrong = false) {
  at("message").textContent = text;
  at("message").classList.toggle("wrong", wrong);
  at("message").hidden = !text;
}

function clearAnswer() {
  number += 1;
  at("answer").hidden = true;
  at("mask").hidden = true;
  at("mask").removeAttribute("src");
  at("marks").replaceChildren();
}

async function take(file) {
  const { bytes } = await about;
  if (file.size > bytes) {
    say(`The picture has more than ${bytes / 1e6} MB; take a smaller one.`, true);
    return;
  }
  clearAnswer();
  say("");
  latest = file;
  try {
    (await createImageBitmap(file)).close(); // an img shows half a file, or an empty box for it
  } catch {
    if (latest === file) say(`${file.name || "This"} is no picture that the browser can show.`, true);
    return;
  }
  if (latest !== file) return;
  const address = URL.createObjectURL(file);
  const image = at("picture");
  image.onload = () => {
    if (shown) URL.revokeObjectURL(shown);
    [picture, shown] = [file, address];
    at("stage").style.setProperty("--aspect", image.naturalWidth / image.naturalHeight);
    at("stage").hidden = false;
    at("invitation").hidden = true;
    at("another").hidden = false;
    at("drop").classList.add("full");
    at("question").focus();
  };
  image.src = address;
}

async function ask(question) {
  clearAnswer();
  const mine = number;
  at("ask").disabled = true;
  say("Looking…");
  try {
    const reply = await fetch(`segment?question=${encodeURIComponent(question)}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: picture,
    });
    const answer = await reply.json();
    if (mine === number) answer.error ? say(answer.error, true) : show(answer);
  } catch {
    if (mine === number) say("No answer came; is samr1 demo still running?", true);
  } finally {
    at("ask").disabled = false;
  }
}

const STATUS = {
  no_answer: "it gave no answer",
  bad_json: "its answer is not JSON",
  missing_box: "its answer has no box",
  bad_numbers: "its box is not four numbers",
  missing_points: "its answer has not the two points that it needs",
  empty_box: "its box has no area in the picture",
  too_long: "its answer is too long",
};

function show(answer) {
  const numbers = (values) => values.map((value) => value.toFixed(1)).join(", ");
  at("asked").textContent = answer.question;
  at("think").textContent = answer.think ?? "none";
  at("label").textContent = answer.label ?? "none";
  const points = answer.objects.length ? answer.objects.flatMap((one) => one.points) : answer.points;
  at("box").textContent = answer.objects.length
    ? `${answer.objects.map((one) => numbers(one.box)).join("; ")} (left, top, right, bottom)`
    : "none";
  at("points").textContent =
    points.map((p) => `${numbers([p.x, p.y])}${p.value ? "" : " (off it)"}`).join("; ") || "none";
  if (answer.left_out) at("points").textContent += ` (${answer.left_out} more were left out)`;
  at("area").textContent = answer.area
    ? `${answer.area.toLocaleString("en")} pixels; SAM's own estimate of its IoU is ${answer.sam_score.toFixed(2)}`
    : "none";
  at("response").textContent = answer.response;
  if (answer.status === "ok") say("");
  else if (answer.status === "nothing_there") say("The model says that nothing of the kind is there.");
  else say(`The model's response could not be read: ${STATUS[answer.status] ?? answer.status}.`, true);
  if (answer.mask) {
    at("mask").src = answer.mask;
    at("mask").hidden = false;
  }
  draw(answer);
  at("answer").hidden = false;
}

function draw({ width, height, objects }) {
  const marks = at("marks");
  marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const path = (d, kind) => {
    for (const layer of ["under", "over"]) {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", d);
      line.setAttribute("class", `${kind} ${layer}`);
      marks.append(line);
    }
  };
  for (const { box } of objects) path(`M${box[0]} ${box[1]}H${box[2]}V${box[3]}H${box[0]}Z`, "frame");
  for (const { x, y, value } of objects.flatMap((one) => one.points)) {
    // A line without a length has round ends: a dot of one size on every screen.
    if (value) path(`M${x} ${y}h0`, "dot");
    else {
      const [a, b] = [width / 60, height / 60];
      path(`M${x - a} ${y - b}l${2 * a} ${2 * b}M${x - a} ${y + b}l${2 * a} ${-2 * b}`, "cross");
    }
  }
}

function firstPicture(items) {
  return [...items].find((file) => file.type.startsWith("image/")) ?? items[0];
}

at("choose").onclick = at("another").onclick = () => at("file").click();
at("file").onchange = () => {
  if (at("file").files.length) take(at("file").files[0]);
  at("file").value = "";
};
at("example").onclick = async () => {
  const reply = await fetch("example.jpg");
  take(new File([await reply.blob()], "example.jpg", { type: "image/jpeg" }));
  at("question").value = EXAMPLE;
};
at("form").onsubmit = (event) => {
  event.preventDefault();
  const question = at("question").value.trim();
  if (!picture) say("Choose a picture first.", true);
  else if (!question) say("Write what is to be found.", true);
  else if (!at("ask").disabled) ask(question);
};
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take(firstPicture(event.clipboardData.files));
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) at("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  if (event.dataTransfer.files.length) take(firstPicture(event.dataTransfer.files));
  else say("That was no file; drop a picture from a folder.", true);
});

about.then(
  ({ who, bytes, pixels }) => {
    at("who").textContent = `Answers are by ${who}.`;
    at("limits").textContent = `At most ${bytes / 1e6} MB and ${pixels / 1e6} million pixels.`;
  },
  () => say("The server does not answer; is samr1 demo still running?", true),
);
