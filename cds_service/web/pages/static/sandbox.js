// A chart of the sandbox as an EHR: this page makes the real calls; the server renders their results from templates.

const root = document.getElementById("chart");
const here = root.dataset.chart;
const drawn = document.getElementById("drawn");
const said = document.getElementById("said");
const how = document.getElementById("how");
const add = document.getElementById("add").content.firstElementChild;
let last = { request: "", answer: null };
let clock = { now: Date.now(), since: performance.now() };
let turn = 0;

const post = (url, body) =>
  fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

function say(words, wrong = false) {
  said.classList.toggle("wrong", wrong);
  said.textContent = words;
}

// The time of the service, so that answers are dated by the same clock that judges them.
const moment = () => new Date(clock.now + performance.now() - clock.since).toISOString();

function unreachable(focus) {
  drawn.replaceChildren(document.getElementById("unreachable").content.cloneNode(true));
  drawn.setAttribute("aria-busy", "false");
  if (focus) drawn.querySelector("h2").focus();
}

async function change(path, body) {
  const answer = await post(here + path, body);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.issue[0].diagnostics);
  return told;
}

// Runs one action of the reader, calls the service again, and shows the outcome when both are done.
async function act(work, focus) {
  try {
    const words = await work();
    if (await call(focus)) say(words);
  } catch (error) {
    say(error instanceof TypeError ? "The service cannot be reached." : error.message, true);
  }
}

async function asked() {
  const choices = new URLSearchParams(new FormData(how));
  const answer = await fetch(`${here}/request?${choices}`);
  if (!answer.ok) throw new Error((await answer.json()).issue[0].diagnostics);
  return { text: await answer.text(), road: choices.get("road") };
}

async function call(focus) {
  const mine = ++turn;
  drawn.setAttribute("aria-busy", "true");
  try {
    const { text, road } = await asked();
    const outcome = await timed(text);
    if (mine !== turn) return false;
    last = { request: text, answer: outcome.answer };
    const part = await post(`${here}/drawn`, { ...outcome, road });
    if (!part.ok) throw new Error((await part.json()).issue[0].diagnostics);
    const page = new DOMParser().parseFromString(await part.text(), "text/html");
    if (mine !== turn) return false;
    show(page.querySelector(".drawn"), focus);
    return true;
  } catch (error) {
    say(error instanceof TypeError ? "" : error.message, true);
    unreachable(focus);
    return false;
  }
}

async function timed(text) {
  const started = performance.now();
  let status = 0;
  let answer = null;
  try {
    const reply = await fetch(root.dataset.call, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: text,
    });
    const came = await reply.text();
    status = reply.status;
    answer = came ? JSON.parse(came) : null;
  } catch {
    answer = null;
  }
  return { status, ms: performance.now() - started, answer };
}

function show(fresh, focus) {
  const open = new Map([...drawn.querySelectorAll("details[id]")].map((details) => [details.id, details.open]));
  const active = drawn.contains(document.activeElement) ? document.activeElement.id : null;
  clock = { now: Date.parse(fresh.dataset.now), since: performance.now() };
  drawn.replaceChildren(fresh);
  document.getElementById("add-here").append(add);
  for (const details of drawn.querySelectorAll("details[id]")) {
    if (open.has(details.id) && !details.classList.contains("override")) details.open = open.get(details.id);
  }
  drawn.setAttribute("aria-busy", "false");
  if (focus || active) (document.getElementById(focus ?? active) ?? document.getElementById("cards-heading")).focus();
  tellTheCall();
}

function tellTheCall() {
  const url = location.origin + root.dataset.call;
  const end = "KNEE_CDS_REQUEST";
  document.getElementById("curl-text").textContent =
    `curl -sS -X POST '${url}' -H 'Content-Type: application/json' --data-binary @- <<'${end}'\n${last.request}\n${end}\n`;
  document.getElementById("request-text").textContent = JSON.stringify(JSON.parse(last.request), null, 2);
  document.getElementById("answer-text").textContent = JSON.stringify(last.answer, null, 2);
}

// Answering cards: what the clinician does goes to the service's feedback endpoint, as from any EHR.

const cardOf = (element) => {
  const uuid = element.closest("[data-card]").dataset.card;
  return last.answer.cards.find((card) => card.uuid === uuid);
};

async function feedback(item) {
  const answer = await post(`${root.dataset.call}/feedback`, { feedback: [{ ...item, outcomeTimestamp: moment() }] });
  if (!answer.ok) throw new Error((await answer.json()).issue[0].diagnostics);
}

function accept(button) {
  const card = cardOf(button);
  const suggestion = card.suggestions.find((offered) => offered.uuid === button.dataset.accept);
  act(async () => {
    for (const action of suggestion.actions) await change("/orders", action.resource);
    await feedback({ card: card.uuid, outcome: "accepted", acceptedSuggestions: [{ id: suggestion.uuid }] });
    return "Draft order put into the chart, not signed yet. Feedback sent: accepted.";
  }, "drafts-heading");
}

function override(form) {
  const card = cardOf(form);
  const chosen = new FormData(form);
  const reason = card.overrideReasons?.[Number(chosen.get("reason"))];
  const comment = chosen.get("comment").trim();
  act(async () => {
    const why = { ...(reason && { reason }), ...(comment && { userComment: comment }) };
    await feedback({ card: card.uuid, outcome: "overridden", ...(Object.keys(why).length && { overrideReason: why }) });
    return `Feedback sent: overridden${reason ? `, ${reason.display}` : ""}.`;
  }, "cards-heading");
}

function switchFact(row) {
  const value = (name) => row.querySelector(`[name="${name}"]`)?.value;
  const days = value("days");
  act(async () => {
    const told = await change("/facts", {
      finding: row.dataset.finding,
      status: value("status"),
      side: value("side"),
      days: days ? Number(days) : null,
    });
    const name = row.querySelector("strong").textContent;
    return `Changed: ${name}.${told.lost.length ? ` Gone with its entry: ${told.lost.join(", ")}.` : ""}`;
  });
}

drawn.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { accept: taken, sign, remove } = button.dataset;
  if (taken) accept(button);
  if (sign) {
    act(async () => {
      await change("/signed", { order: sign.split("/")[1] });
      return "Signed: the order stands.";
    }, "cards-heading");
  }
  if (remove) {
    act(async () => {
      await change("/removed", { source: remove });
      return "Removed from the chart.";
    }, "cards-heading");
  }
});

drawn.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.matches("[data-override]")) override(event.target);
});

drawn.addEventListener("change", (event) => {
  const row = event.target.closest("[data-finding]");
  if (row && event.target.checkValidity()) switchFact(row);
});

// Adding a finding.

const filter = add.querySelector("input");
const findings = add.querySelector("select");

filter.addEventListener("input", () => {
  const wanted = filter.value.toLowerCase();
  for (const group of findings.querySelectorAll("optgroup")) {
    let any = false;
    for (const option of group.children) {
      option.hidden = !option.textContent.toLowerCase().includes(wanted);
      any ||= !option.hidden;
    }
    group.hidden = !any;
  }
  const first = [...findings.options].find((option) => !option.hidden);
  findings.value = first ? first.value : "";
});

add.addEventListener("submit", (event) => {
  event.preventDefault();
  const finding = findings.value;
  if (!finding) return say("Choose a finding from the list.", true);
  const name = findings.selectedOptions[0].textContent;
  act(async () => {
    await change("/facts", { finding, status: "present", side: "unknown", days: 0 });
    return `Added: ${name}.`;
  }, `status-${finding}`);
});

// The call as a whole.

how.addEventListener("submit", (event) => {
  event.preventDefault();
  say("");
  call("cards-heading");
});
how.addEventListener("change", () => {
  say("");
  call();
});
document.getElementById("reset").addEventListener("click", () =>
  act(async () => {
    await change("/reset", {});
    return "The chart is as it was when it was opened.";
  }, "cards-heading"),
);
document.getElementById("copy").addEventListener("click", async () => {
  const text = document.getElementById("curl-text");
  try {
    await navigator.clipboard.writeText(text.textContent);
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(text);
    say("Selected: copy it with your keyboard.");
  }
});

// In a narrow panel the cards come first.
if (matchMedia("(max-width: 40rem)").matches) document.getElementById("fold").open = false;

call();
