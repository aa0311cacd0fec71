// What the pages do by themselves: they look again every few seconds, and the playground tries as
// one types. Everything works without it, by forms and links.
"use strict";

const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
const byId = (id) => document.getElementById(id);

// --- pages that look again ------------------------------------------------------------------

function live(part) {
  const pause = byId("pause"), updated = byId("updated");
  const every = Number(part.dataset.every) * 1000;
  let paused = false, timer = null;

  async function look() {
    timer = null;
    // Whoever reads or chooses something in it is not to have it changed under their hands.
    const busy = part.contains(document.activeElement) || document.hidden
      || part.querySelector("details[open]:not(.event)");
    if (!paused && !busy) {
      try {
        const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
        if (answer.redirected) { location.reload(); return; }
        if (!answer.ok) throw new Error(String(answer.status));
        const text = await answer.text();
        if (!paused) show(text);
      } catch {
        if (updated) updated.textContent = "No answer: trying again";
      }
    }
    timer = setTimeout(look, every);
  }

  function show(text) {
    const before = new Set([...part.querySelectorAll("[data-place]")].map((row) => row.dataset.place));
    const other = new DOMParser().parseFromString(
      part.tagName === "TBODY" ? `<table><tbody>${text}</tbody></table>` : `<div>${text}</div>`, "text/html");
    const fresh = other.body.querySelector(part.tagName === "TBODY" ? "tbody" : "div");
    part.replaceChildren(...fresh.childNodes);
    const rows = [...part.querySelectorAll("[data-place]")];
    const added = rows.filter((row) => !before.has(row.dataset.place));
    if (before.size) added.forEach((row) => row.classList.add("new"));
    byId("empty")?.toggleAttribute("hidden", rows.length > 0);
    const when = new Date().toISOString().slice(11, 19);
    // Told aloud only when there is something new to tell.
    if (updated && part.tagName !== "TBODY") updated.title = when;
    else if (updated && added.length) updated.textContent = `${added.length} new at ${when}`;
  }

  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      pause.textContent = paused ? "Go on" : "Pause";
      if (!paused && timer !== null) { clearTimeout(timer); look(); }
    });
  }
  timer = setTimeout(look, every);
}

document.querySelectorAll("[data-live]").forEach(live);

// --- choosing letters -----------------------------------------------------------------------

const all = byId("all");
if (all) {
  all.hidden = false;
  all.addEventListener("click", () => {
    const boxes = [...document.querySelectorAll('#letters input[name="id"]')];
    const on = boxes.some((box) => !box.checked);
    boxes.forEach((box) => { box.checked = on; });
    all.textContent = on ? "Choose none" : "Choose all";
  });
}

// --- the playground -------------------------------------------------------------------------

const bench = byId("bench");
if (bench) {
  const overlay = byId("overlay"), result = byId("result"), trying = byId("trying");
  let timer = null, number = 0;

  async function attempt() {
    const mine = ++number;
    trying.textContent = "";
    try {
      const answer = await fetch(bench.dataset.try, {
        method: "POST", headers: { "X-CSRF": csrf }, body: new URLSearchParams(new FormData(bench)),
      });
      // Who is not known any more has no token, and may send little.
      const out = answer.redirected || answer.status === 403 || answer.status === 413;
      if (out) { trying.textContent = "You were logged out: keep a copy, then log in again."; return; }
      if (!answer.ok) throw new Error(String(answer.status));
      const told = await answer.json();
      if (mine !== number) return;
      const other = new DOMParser().parseFromString(told.html, "text/html");
      result.replaceChildren(...other.body.childNodes);
      overlay.setAttribute("aria-invalid", String(!told.sound));
    } catch {
      if (mine === number) trying.textContent = "No answer: type on, or try again.";
    }
  }

  // What was typed outlives the choice of another topic or body, in this tab alone.
  const name = `overlay ${byId("place").textContent}`;
  const stored = sessionStorage.getItem(name);
  if (stored !== null && overlay.value === overlay.defaultValue) overlay.value = stored;
  overlay.addEventListener("input", () => { sessionStorage.setItem(name, overlay.value); });
  const over = byId("over");
  over.hidden = false;
  over.addEventListener("click", () => {
    sessionStorage.removeItem(name);
    overlay.value = overlay.defaultValue;
    attempt();
  });
  overlay.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(attempt, 400); });
  bench.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); attempt(); });
  bench.querySelector('[name="unmask"]')?.addEventListener("change", attempt);
  result.addEventListener("click", (event) => {
    const link = event.target.closest("[data-line]");
    if (!link) return;
    event.preventDefault();
    const lines = overlay.value.split("\n");
    const line = Math.min(Number(link.dataset.line), lines.length);
    const at = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    const from = Math.min(at + Number(link.dataset.column) - 1, overlay.value.length);
    overlay.focus();
    overlay.setSelectionRange(from, Math.max(from, at + lines[line - 1].length));
  });
  for (const id of ["topic", "sample", "file"]) {
    byId(id).addEventListener("change", () => { byId("choose").requestSubmit(); });
  }
  const copy = byId("copy"), download = byId("download");
  download.hidden = false;
  download.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([overlay.value], { type: "application/yaml" }));
    link.download = bench.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  if (navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(overlay.value);
      trying.textContent = "Copied.";
    });
  }
  attempt();
}
