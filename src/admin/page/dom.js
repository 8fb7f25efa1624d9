// The document: what is already as it should be stays untouched, so that selections, focus and
// scroll positions survive a refresh. All data becomes text, never markup.

const byId = (id) => document.getElementById(id);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

function make(name, kind, ...children) {
  const node = document.createElement(name);
  if (kind) node.className = kind;
  node.append(...children);
  return node;
}

// A moment as `<time>`, relative, with the absolute one as its title.
function timeOf(stamp, now) {
  const at = Date.parse(stamp);
  const node = make("time", "", relative(at, now));
  node.dateTime = stamp;
  node.title = moment(at);
  return node;
}

// Gives `parent` one child for each of `items`. `name` is the child's element; an item is
// `{ key, fill }`: `fill(child)` makes the content, again only when `key` is another one.
function fill(parent, name, items) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach(({ key, fill: put }, at) => {
    const child = parent.children[at] ?? parent.appendChild(document.createElement(name));
    if (child.shown === key) return;
    child.shown = key;
    child.replaceChildren();
    put(child);
  });
}

// Fills the body of a table. A row is a list of cells. A cell is a text, or an object: `text` or
// `time`, `now`; `kind` (a class), `notes` (lines below), `bar` (0 to 100 instead of a text).
function fillTable(table, rows) {
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.lastElementChild.remove();
  rows.forEach((cells, at) => {
    const row = body.rows[at] ?? body.appendChild(document.createElement("tr"));
    cells.forEach((cell, column) => {
      const name = column === 0 ? "th" : "td";
      const node = row.children[column] ?? row.appendChild(document.createElement(name));
      if (column === 0) node.scope = "row";
      fillCell(node, typeof cell === "string" ? { text: cell } : cell);
    });
  });
  show(table.parentElement, rows.length > 0);
}

function fillCell(node, cell) {
  const key = JSON.stringify(cell) + (cell.time ? relative(Date.parse(cell.time), cell.now) : "");
  if (node.shown === key) return;
  node.shown = key;
  node.className = cell.kind ?? "";
  node.replaceChildren();
  if (cell.bar !== undefined) {
    const bar = make("span", "strip");
    bar.style.width = `${cell.bar}%`;
    node.append(bar);
    return;
  }
  if (cell.text) node.append(cell.text);
  if (cell.time) node.append(timeOf(cell.time, cell.now));
  for (const note of cell.notes ?? []) node.append(make("small", "", note));
}

// A bar that shows a part of a whole.
function setMeter(node, part, whole, text) {
  const share = percent(part, whole);
  setAttribute(node, "aria-valuenow", Math.round(share));
  setAttribute(node, "aria-valuetext", text);
  setAttribute(node, "data-level", share >= 90 ? "bad" : share >= 70 ? "warn" : "good");
  node.firstElementChild.style.width = `${share}%`;
}

// A table of which only the first rows are shown, until its button is pressed.
class LongTable {
  constructor(id, limit, fewer) {
    Object.assign(this, { table: byId(id), button: byId(`${id}-more`), limit, fewer, rows: [] });
    this.all = false;
    this.button.addEventListener("click", () => {
      this.all = !this.all;
      this.draw();
    });
  }

  // `rows` as of fillTable.
  fill(rows) {
    this.rows = rows;
    this.draw();
  }

  draw() {
    const { rows, limit } = this;
    fillTable(this.table, this.all ? rows : rows.slice(0, limit));
    show(byId(`${this.table.id}-empty`), rows.length === 0);
    show(this.button, rows.length > limit);
    setAttribute(this.button, "aria-expanded", this.all);
    setText(this.button, this.all ? this.fewer : `Show all ${count(rows.length)}`);
  }
}

// A container is a stop for the Tab key while its content is larger than itself.
function watchScrolling() {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const box = target.closest(".scroll");
      const { scrollWidth, clientWidth, scrollHeight, clientHeight } = box;
      if (scrollWidth > clientWidth || scrollHeight > clientHeight) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll(".scroll:not(.fixed)")) {
    observer.observe(box);
    observer.observe(box.firstElementChild);
  }
}
