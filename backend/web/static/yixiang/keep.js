// What somebody has typed survives a page that has to be left in the middle: the session ended, or somebody signed in
// anew in another tab. It is kept in this tab only, for one return and for the same person, and never holds a password.

const KEY = "yixiang-typed";
const LASTS = 30 * 60_000;
const NEVER = "[type=password], [type=file], [type=hidden], [type=submit], button, fieldset";

const texts = document.getElementById("texts").dataset;
const loginUrl = document.body.dataset.loginUrl;
const person = document.body.dataset.person;

const typedIn = (form) => [...form.elements].filter((one) => one.name && !one.matches(NEVER));
const hasChoice = (one) => one.matches("[type=radio], [type=checkbox]");

const store = (kept) => sessionStorage.setItem(KEY, JSON.stringify(kept));

function typed(form) {
  const fields = form ? typedIn(form).map((one) => [one.name, one.value, hasChoice(one) ? one.checked : null]) : [];
  return { path: window.location.pathname, action: form?.getAttribute("action"), fields, person, at: Date.now() };
}

/** Remember the form of an HTMX request until the reader is back on this page. */
function keep({ elt, verb }, choice = false) {
  if (verb !== "get") store({ ...typed(elt.closest("form")), choice });
}

/** Remember a form that the browser itself sends: only an answer that is the sign-in page makes it worth keeping. */
function keepUnsure({ target: form, defaultPrevented }) {
  if (!defaultPrevented && form.method === "post" && person) store({ ...typed(form), unsure: true });
}

function take() {
  const text = sessionStorage.getItem(KEY);
  if (!text) return null;
  const { unsure, ...kept } = JSON.parse(text);
  const askedToSignIn = window.location.pathname === loginUrl;
  if (unsure && askedToSignIn) store(kept);
  if (unsure && !askedToSignIn) sessionStorage.removeItem(KEY);
  // On the way, at the sign-in page, it stays.
  if (unsure || kept.path !== window.location.pathname) return null;
  sessionStorage.removeItem(KEY);
  const same = !kept.person || kept.person === person;
  return same && Date.now() - kept.at < LASTS ? kept : null;
}

/** Whether the field shows something else than before. */
function put(form, [name, value, checked]) {
  const found = typedIn(form).find((one) => one.name === name && (checked === null || one.value === value));
  if (!found || (checked === null ? found.value === value : found.checked === checked)) return false;
  if (checked === null) found.value = value;
  else found.checked = checked;
  for (let part = found.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  found.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

function giveBack() {
  const kept = take();
  if (!kept) return;
  const form = document.querySelector(kept.action ? `form[action="${CSS.escape(kept.action)}"]` : "main form:not([action])");
  const back = form ? kept.fields.filter((field) => put(form, field)).length : 0;
  // A visitor who was asked to sign in expects to be here again.
  if (!kept.person) return;
  const text = back || kept.choice ? texts.typedIsBack : texts.repeatStep;
  document.dispatchEvent(new CustomEvent("toast", { detail: { text, level: "info" } }));
}

// An answer that leads to the sign-in page, or loads the page again, instead of doing what was asked.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { xhr, requestConfig } = event.detail;
  const leads = xhr.getResponseHeader("HX-Redirect") ?? "";
  const leaves = loginUrl && leads.startsWith(loginUrl);
  const again = xhr.status === 403 && xhr.getResponseHeader("HX-Refresh");
  // The booking panel comes back with its choice in the address.
  if (leaves || again) keep(requestConfig, leaves);
});
document.addEventListener("submit", keepUnsure);
document.addEventListener("page:leave", (event) => keep(event.detail));

window.addEventListener("load", giveBack);
