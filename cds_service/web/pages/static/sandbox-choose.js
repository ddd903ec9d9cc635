// Choosing a patient: searching the stories, and pasting your own Bundle.

const search = document.getElementById("search");
const found = document.getElementById("found");
const everyone = document.getElementById("everyone");
const groups = [...document.querySelectorAll(".group")];

search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  if (words.length) everyone.open = true;
  groups.forEach((group, number) => {
    let here = 0;
    for (const item of group.querySelectorAll("li")) {
      const text = item.textContent.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
      if (!item.hidden) here += 1;
    }
    group.hidden = here === 0;
    group.open = words.length ? here > 0 : number === 0;
    count += here;
  });
  found.textContent = words.length ? `${count} ${count === 1 ? "patient" : "patients"} found` : "";
});

const own = document.getElementById("own");
const field = document.getElementById("bundle");
const file = document.getElementById("file");
const wrong = document.getElementById("bundle-wrong");

function complain(words) {
  wrong.textContent = words.charAt(0).toUpperCase() + words.slice(1);
  wrong.hidden = false;
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

file.addEventListener("change", async () => {
  if (file.files.length) field.value = await file.files[0].text();
});

own.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.hidden = true;
  field.removeAttribute("aria-invalid");
  if (!field.value.trim()) return complain("Paste a Bundle here or choose a file.");
  try {
    const answer = await fetch("/sandbox/own", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: field.value,
    });
    const told = await answer.json();
    if (answer.ok) location.assign(told.url);
    else complain(told.issue[0].diagnostics);
  } catch {
    complain("The service cannot be reached. Is it still running?");
  }
});
