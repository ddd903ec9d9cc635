// Filters the list by the words typed. Without this script the whole list is shown.
(() => {
  const field = document.getElementById("filter");
  const found = document.getElementById("found");
  const items = [...document.querySelectorAll("[data-words]")];
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const item of items) {
      const text = item.dataset.words.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
      if (!item.hidden) count += 1;
    }
    document.querySelectorAll("[data-group]").forEach((group) => {
      group.hidden = ![...group.querySelectorAll("[data-words]")].some((item) => !item.hidden);
    });
    found.textContent = words.length ? found.dataset.words.replace("{count}", count) : "";
  });
})();
