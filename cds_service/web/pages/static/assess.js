// Fetches the result after every click, and sends the answers once. The page also works without this script.
(() => {
  const form = document.getElementById("assess");
  if (!form) return;
  const result = document.getElementById("result");
  const said = document.getElementById("said");
  const lost = document.getElementById("lost");
  const copy = document.getElementById("copy-note");
  let waiting = 0;
  let latest = 0;

  async function follow() {
    const mine = ++latest;
    const body = new URLSearchParams(new FormData(form));
    body.set("action", "part");
    try {
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body, credentials: "same-origin" });
      if (!answer.ok) throw new Error("no result");
      const html = await answer.text();
      if (html.includes("<html")) throw new Error("a whole page: the launch is over");
      if (mine !== latest) return;
      result.innerHTML = html;
      lost.hidden = true;
      said.textContent = result.querySelector(".score strong").textContent;
    } catch {
      if (mine === latest) lost.hidden = false;
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(follow, 150);
  });

  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    // Not disabled: its name and value have to go with the form.
    event.submitter?.setAttribute("aria-disabled", "true");
  });
  window.addEventListener("pageshow", () => {
    delete form.dataset.sent;
    form.querySelectorAll("[aria-disabled]").forEach((element) => element.removeAttribute("aria-disabled"));
    follow();  // the browser may have brought back answers that this result does not know
  });

  document.querySelectorAll(".without-script").forEach((element) => { element.hidden = true; });
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    clearTimeout(waiting);
    await follow();
    const note = document.getElementById("note-text");
    try {
      await navigator.clipboard.writeText(note.textContent);
      said.textContent = said.dataset.copied;
    } catch {
      const range = document.createRange();
      range.selectNodeContents(note);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      said.textContent = said.dataset.selected;
    }
  });
})();
