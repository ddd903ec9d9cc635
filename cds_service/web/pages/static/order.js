// Updates the text from the form, copies it, and sends the order once. The page also works without this script.
(() => {
  const form = document.getElementById("order");
  const text = document.getElementById("text");
  const copy = document.getElementById("copy-text");
  const offline = document.getElementById("offline");
  const copied = document.getElementById("copied");
  let waiting = 0;
  let latest = 0;

  async function follow() {
    const mine = ++latest;
    const body = new URLSearchParams(new FormData(form));
    body.set("action", "text");
    try {
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body, credentials: "same-origin" });
      if (!answer.ok || !answer.headers.get("content-type").startsWith("text/plain")) throw new Error("no text");
      const words = await answer.text();
      if (mine === latest) text.textContent = words;
    } catch {
      if (mine === latest) copied.textContent = copied.dataset.behind;
    }
  }

  form.addEventListener("input", () => {
    copied.textContent = "";
    clearTimeout(waiting);
    waiting = setTimeout(follow, 150);
  });

  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (!navigator.onLine) {
      event.preventDefault();
      offline.hidden = false;
      offline.focus();
      return;
    }
    form.dataset.sent = "yes";
    // Not disabled: its name and value have to go with the form.
    event.submitter?.setAttribute("aria-disabled", "true");
    if (event.submitter) event.submitter.textContent = form.dataset.wait;
  });
  window.addEventListener("pageshow", () => { delete form.dataset.sent; });

  document.querySelectorAll(".without-script").forEach((element) => { element.hidden = true; });
  copy.hidden = false;
  const print = document.getElementById("print-text");
  print.hidden = false;
  print.addEventListener("click", async () => {
    clearTimeout(waiting);
    await follow();
    window.print();
  });
  copy.addEventListener("click", async () => {
    clearTimeout(waiting);
    await follow();
    try {
      await navigator.clipboard.writeText(text.textContent);
      copied.textContent = copied.dataset.copied;
    } catch {
      const range = document.createRange();
      range.selectNodeContents(text);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      copied.textContent = copied.dataset.selected;
    }
  });
})();
