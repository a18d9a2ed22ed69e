"use strict";
// Without this script everything is there; with it tables sort and filter, and a cell of the
// confusion matrix shows its pictures alone.
document.documentElement.classList.add("script");

function filterPictures() {
  const status = document.querySelector(".filter");
  const cells = [...document.querySelectorAll("button[data-true]")];
  if (!status) return;
  const show = (chosen) => {
    let shown = 0;
    for (const picture of document.querySelectorAll(".picture[data-true]")) {
      const fits = !chosen || (picture.dataset.true === chosen.dataset.true &&
        picture.dataset.predicted === chosen.dataset.predicted);
      picture.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    for (const cell of cells) cell.setAttribute("aria-pressed", String(cell === chosen));
    status.hidden = !chosen;
    if (!chosen) return;
    const said = chosen.getAttribute("aria-label");
    status.querySelector("span").textContent =
      `${said}: ${shown === 1 ? "1 picture" : `${shown} pictures`}.`;
    status.scrollIntoView({ block: "nearest" });
  };
  for (const cell of cells) {
    cell.disabled = false;
    cell.addEventListener("click", () =>
      show(cell.getAttribute("aria-pressed") === "true" ? null : cell));
  }
  status.querySelector("button").addEventListener("click", () => {
    const pressed = cells.find((cell) => cell.getAttribute("aria-pressed") === "true");
    show(null);
    if (pressed) pressed.focus();
  });
}

// The matrix is one stop for the keyboard; arrows go from cell to cell.
function walkMatrix(table) {
  const rows = [...table.tBodies[0].rows].map((row) =>
    [...row.querySelectorAll("td")].map((cell) => cell.querySelector("button")));
  const every = rows.flat().filter(Boolean);
  every.forEach((cell, number) => { cell.tabIndex = number === 0 ? 0 : -1; });
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  table.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    const row = rows.findIndex((cells) => cells.includes(document.activeElement));
    if (!step || row < 0) return;
    let [y, x] = [row, rows[row].indexOf(document.activeElement)];
    do {
      y += step[0];
      x += step[1];
    } while (rows[y] && x >= 0 && x < rows[y].length && !rows[y][x]);
    const next = rows[y] && rows[y][x];
    if (!next) return;
    event.preventDefault();
    document.activeElement.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

function sortTable(table) {
  const headings = [...table.querySelectorAll("th[data-sort]")];
  for (const heading of headings) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const falling = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const value = (row) => {
        const cell = row.cells[heading.cellIndex];
        if (heading.dataset.sort === "text") return cell.textContent.trim();
        return cell.dataset.value === undefined || cell.dataset.value === "" ?
          NaN : Number(cell.dataset.value);
      };
      const compare = (one, other) => {
        const [a, b] = [value(one), value(other)];
        if (typeof a === "string") {
          return (falling ? -1 : 1) * a.localeCompare(b, "en", { numeric: true });
        }
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
        return (falling ? -1 : 1) * (a - b);
      };
      const rows = [...table.tBodies[0].rows].sort(compare);
      table.tBodies[0].append(...rows);
    });
  }
}

function filterTable(table) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("span");
  const place = document.createElement("p");
  place.className = "table-filter";
  input.type = "search";
  count.setAttribute("role", "status");
  label.append("rows with the words ", input);
  place.append(label, " ", count);
  table.closest(".wide").before(place);
  const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = words.length ? `${shown} of ${rows.length}` : "";
  });
}

filterPictures();
document.querySelectorAll("table.matrix").forEach(walkMatrix);
document.querySelectorAll("table[data-table]").forEach(sortTable);
document.querySelectorAll("table[data-filter]").forEach(filterTable);
