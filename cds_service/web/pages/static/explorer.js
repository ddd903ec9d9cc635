// Narrows the table to one cause or kind of finding, and changes between weights if present and if absent.
(() => {
  const table = document.getElementById("heat");
  const choices = document.getElementById("choices");
  const shown = document.getElementById("shown");
  const select = document.getElementById("cause");
  const all = select.options[0];
  const narrow = matchMedia("(max-width: 56.25rem)");
  let ours = false;
  choices.hidden = false;
  select.addEventListener("input", () => { ours = false; });

  // In a narrow window show one cause at a time, because only a corner of the whole table would fit.
  function fit() {
    all.disabled = all.hidden = narrow.matches;
    if (narrow.matches && !select.value) {
      select.selectedIndex = 1;
      ours = true;
    } else if (!narrow.matches && ours) {
      select.value = "";
      ours = false;
    }
    draw();
  }

  function draw() {
    const chosen = new FormData(choices).get("if");
    table.className = `if-${chosen}`;
    const cause = Number(select.value);
    table.classList.toggle("one", Boolean(cause));
    const kind = document.getElementById("kind").value;
    let rows = 0;
    for (const row of table.rows) {
      if (row.classList.contains("kind")) continue;
      [...row.cells].forEach((cell, place) => { cell.hidden = Boolean(cause) && place > 0 && place !== cause; });
      if (row.parentElement.tagName === "THEAD") continue;
      const body = row.parentElement;
      const other = Boolean(kind) && body.dataset.kind !== kind;
      row.hidden = other || (Boolean(cause) && !row.cells[cause].firstChild);
      if (!row.hidden) rows += 1;
    }
    for (const body of table.tBodies) body.hidden = [...body.rows].slice(1).every((row) => row.hidden);
    shown.textContent = shown.dataset.words.replace("{count}", rows);
  }
  choices.addEventListener("input", draw);
  choices.addEventListener("submit", (event) => event.preventDefault());
  narrow.addEventListener("change", fit);
  fit();
})();
