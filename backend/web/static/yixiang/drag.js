// What was dropped or drawn on a calendar is asked before it happens: the server shows it in a dialog, and the event
// goes back to where it was unless the reader agrees.

const dialog = document.getElementById("drag");
const body = document.getElementById("drag-body");
const problems = document.getElementById("drag-problems");
let takeBack = null;

/** Undoes what the reader dragged; once, and not after it was done. */
function undo() {
  takeBack?.();
  takeBack = null;
}

function close() {
  if (dialog.open) dialog.close();
}

async function open(method, url, values, revert) {
  undo();
  takeBack = revert;
  body.replaceChildren();
  problems.replaceChildren();
  await window.htmx.ajax(method, url, { source: dialog, target: body, values });
  if (!body.childElementCount) return undo();
  if (body.querySelector("[data-refused]")) undo();
  if (!dialog.open) dialog.showModal();
  (body.querySelector("[autofocus], textarea, input:not([type=hidden])") ?? dialog).focus();
}

document.addEventListener("calendar:change", ({ detail }) => {
  void open("POST", detail.url, { start: detail.start, end: detail.end }, detail.revert);
});
document.addEventListener("calendar:select", ({ target, detail }) => {
  const { drawUrl } = target.dataset;
  if (drawUrl) void open("GET", drawUrl, { instrument: detail.resource, start: detail.start, end: detail.end }, detail.unselect);
});
document.body.addEventListener("booking-changed", () => {
  takeBack = null; // it is done: the calendar loads it anew
  close();
});
dialog.addEventListener("close", undo);
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("[data-drag-close]")) close();
});
// What the server says against it belongs into the dialog: the page behind is covered.
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id !== "problems" || !dialog.open) return;
  problems.replaceChildren(...detail.target.childNodes);
  problems.scrollIntoView({ block: "nearest" });
});
