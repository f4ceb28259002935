// What every page does: keys, toasts, the line at the top, and what HTMX cannot know by itself.

const texts = document.getElementById("texts").dataset;
const loginUrl = document.body.dataset.loginUrl;

// --- keys ---------------------------------------------------------------------------------------------------------

// A tick is no text: its keys still work.
const typing = (element) => element.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");

// A region that is being drawn anew: what is pressed meanwhile is meant for what comes, not for what still stands there.
const drawing = new Set();
const early = [];

function press(key) {
  document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.click();
}

function drawn(xhr) {
  if (!drawing.delete(xhr)) return;
  // One key may begin to draw the region again; the rest then waits once more.
  while (early.length && !drawing.size && !document.querySelector("dialog[open]")) press(early.shift());
}

document.addEventListener("htmx:beforeSend", ({ detail }) => {
  if (detail.target.matches("[data-keys]")) drawing.add(detail.xhr);
});
document.addEventListener("htmx:afterSettle", ({ detail }) => drawn(detail.xhr));
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful || !drawing.has(detail.xhr)) return;
  early.length = 0;
  drawn(detail.xhr);
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
    return;
  }
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (target) event.preventDefault();
  if (drawing.size && event.key.length === 1) early.push(event.key);
  else target?.click();
});

// --- toasts -------------------------------------------------------------------------------------------------------

const SHOWN_FOR = 6000;

function arm(toast) {
  toast.querySelector("[data-toast-close]")?.addEventListener("click", () => toast.remove());
  toast.querySelector("[hx-post]")?.addEventListener("click", () => setTimeout(() => toast.remove()));
  if (["error", "warning"].includes(toast.dataset.level)) return; // stays until it is closed
  let timer;
  const start = () => (timer = setTimeout(() => toast.remove(), SHOWN_FOR));
  const stop = () => clearTimeout(timer);
  toast.addEventListener("mouseenter", stop);
  toast.addEventListener("focusin", stop);
  toast.addEventListener("mouseleave", start);
  toast.addEventListener("focusout", start);
  start();
}

function toast({ text, level = "success", undo = "" }) {
  const line = document.createElement("div");
  line.className = "toast-line";
  line.dataset.toast = "";
  line.dataset.level = level;
  if (level === "error") line.setAttribute("role", "alert");
  const words = document.createElement("span");
  words.textContent = text;
  line.append(words);
  if (undo.startsWith("/")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm btn-link";
    button.textContent = texts.undo;
    button.setAttribute("hx-post", undo);
    button.setAttribute("hx-swap", "none");
    line.append(button);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-close";
  close.dataset.toastClose = "";
  close.setAttribute("aria-label", texts.close);
  line.append(close);
  document.getElementById("toasts").append(line);
  window.htmx.process(line);
}

const toasts = document.getElementById("toasts");
for (const line of toasts.querySelectorAll("[data-toast]")) arm(line);
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) if (node.matches?.("[data-toast]")) arm(node);
  }
}).observe(toasts, { childList: true });
// From the server (HX-Trigger: {"toast": {"text": …}}) or from another script.
document.addEventListener("toast", (event) => toast(event.detail));

// --- HTMX ---------------------------------------------------------------------------------------------------------

let running = 0;
const busy = (change) => {
  running = Math.max(0, running + change);
  document.documentElement.toggleAttribute("data-busy", running > 0);
};
document.addEventListener("htmx:beforeSend", () => busy(1));
document.addEventListener("htmx:afterRequest", () => busy(-1));

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.requestConfig.verb !== "get") document.getElementById("problems").replaceChildren();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, boosted } = event.detail;
  const answered = xhr.responseURL ? new URL(xhr.responseURL) : null;
  const signedOut = xhr.status === 401 || (answered?.pathname === loginUrl && window.location.pathname !== loginUrl);
  if (!signedOut || !loginUrl) return;
  // The session ended: a sign-in page inside a part of this page would help nobody.
  event.detail.shouldSwap = false;
  document.dispatchEvent(new CustomEvent("page:leave", { detail: event.detail.requestConfig }));
  const here = window.location.pathname + window.location.search;
  const next = (boosted && answered?.searchParams.get("next")) || here;
  window.location.assign(`${loginUrl}?next=${encodeURIComponent(next)}`);
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "problems") event.detail.target.querySelector(".problem")?.focus({ preventScroll: true });
});
document.addEventListener("htmx:sendError", () => toast({ text: texts.offline, level: "error" }));
document.addEventListener("htmx:timeout", () => toast({ text: texts.offline, level: "error" }));
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status !== 401) toast({ text: texts.failed, level: "error" });
});

// --- tabs wider than a phone: the chosen one is in sight -----------------------------------------------------------

for (const tab of document.querySelectorAll(".account-tabs [aria-current]")) {
  const row = tab.parentElement;
  row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
}

// --- forms that are sent once -------------------------------------------------------------------------------------

document.addEventListener("submit", (event) => {
  const form = event.target;
  const remote = form.matches("[hx-post], [hx-put], [hx-patch], [hx-delete], [hx-get], [hx-boost=true]");
  if (event.defaultPrevented || remote || form.method !== "post" || event.submitter?.formTarget === "_blank") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
