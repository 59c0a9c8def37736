"use strict";
// Sorts and filters the tables of the class. The page is whole without it: this only hides rows and puts them in another order.
const tables = [...document.querySelectorAll("table.heat")];
const find = document.getElementById("find");
const show = document.getElementById("show");
const told = document.getElementById("shown");

const worth = { "\u2717": 0, "\u2013": -1, "?": -2, "\u00b7": -3 };
function key(row, column) {
  const text = row.cells[column].textContent;
  if (column === 0) return text;
  return text in worth ? worth[text] : Number(text.match(/[0-9]+/)?.[0] ?? -4);
}

function sort(table, column, descending) {
  const names = new Intl.Collator("en", { numeric: true });
  const rows = [...table.tBodies[0].rows].map((row) => [key(row, column), key(row, 0), row]);
  const order = descending ? -1 : 1;
  rows.sort((a, b) => (column === 0 ? order * names.compare(a[1], b[1]) : order * (a[0] - b[0]) || names.compare(a[1], b[1])));
  table.tBodies[0].append(...rows.map((row) => row[2]));
  for (const [place, head] of [...table.tHead.rows[0].cells].entries()) {
    if (place === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

function filter() {
  const wanted = find.value.trim().toLowerCase();
  for (const [place, table] of tables.entries()) {
    let count = 0;
    for (const row of table.tBodies[0].rows) {
      const fits = row.cells[0].textContent.toLowerCase().includes(wanted) && (show.value === "all" || row.classList.contains(show.value));
      row.hidden = !fits;
      count += fits;
    }
    if (place === 0) told.textContent = `${count} of ${table.tBodies[0].rows.length} students shown`;
  }
}

for (const table of tables) {
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = head.querySelector("button");
    button.disabled = false;
    // Names begin at A; points with the fewest, which is where a teacher looks.
    button.addEventListener("click", () => sort(table, column, head.getAttribute("aria-sort") === "ascending"));
  }
}
find.addEventListener("input", filter);
show.addEventListener("change", filter);
document.getElementById("controls").hidden = false;

// `class.html?find=ann&show=attention&sort=3` is a view to keep; `sort` is a column of every table, from 0, or `-3` for the other way round.
const view = new URLSearchParams(location.search);
find.value = view.get("find") ?? "";
if ([...show.options].some((option) => option.value === view.get("show"))) show.value = view.get("show");
const column = Number.parseInt(view.get("sort") ?? "", 10);
for (const table of tables) {
  const place = Math.abs(column);
  if (place < table.tHead.rows[0].cells.length) sort(table, place, column < 0);
}
filter();
