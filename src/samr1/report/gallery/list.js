// The list of all questions. Cards are made in batches when they come near the window and are taken
// away when they are far from it, so that thousands of questions cost no more than a few dozen.
const BATCH = 60; // divides evenly into rows of 1 to 6 cards
const NEAR = "1500px";

class CardList {
  constructor(root) {
    this.root = root;
    this.observer = new IntersectionObserver((entries) => this.look(entries), {
      rootMargin: `${NEAR} 0px`,
    });
  }

  show(view, rows) {
    this.observer.disconnect();
    this.view = view;
    this.rows = rows;
    const count = Math.ceil(rows.length / BATCH);
    const batches = Array.from({ length: count }, () => make("div", "cards batch"));
    this.root.replaceChildren(...batches);
    if (!count) return;
    this.fill(batches[0]);
    const height = batches[0].offsetHeight;
    for (const [place, batch] of batches.entries()) {
      const share = Math.min(1, (rows.length - place * BATCH) / BATCH);
      if (place) batch.style.minHeight = `${Math.round(height * share)}px`;
      this.observer.observe(batch);
    }
  }

  look(entries) {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) this.fill(target);
      else this.empty(target);
    }
  }

  fill(batch) {
    if (batch.firstChild) return;
    const first = BATCH * Array.prototype.indexOf.call(this.root.children, batch);
    const rows = this.rows.slice(first, first + BATCH);
    batch.append(...rows.map((row) => buildCard(this.view, row)));
    batch.style.minHeight = "";
  }

  empty(batch) {
    if (!batch.firstChild) return;
    batch.style.minHeight = `${batch.offsetHeight}px`; // nothing below may jump
    batch.replaceChildren();
  }

  // Paper shows what is there: the first batches, whatever part of the list is in the window.
  fillForPrint(count) {
    for (const batch of [...this.root.children].slice(0, count)) this.fill(batch);
    const more = this.rows.length > count * BATCH;
    this.root.dataset.printed = more ? `Printed are the first ${count * BATCH} of them.` : "";
  }
}
