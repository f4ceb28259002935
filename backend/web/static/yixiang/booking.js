// The booking panel and its neighbours: a click on a free time fills the fields, and what the reader sees stays in step.

const form = () => document.getElementById("panel");
const field = (name) => document.getElementById(`id_${name}`);

// Wall times are compared and added as if they were UTC: the server turns them into instants of the instrument's zone.
const asNumber = (wall) => Date.parse(`${wall}Z`);
const asWall = (number) => new Date(number).toISOString().slice(0, 16);
const MINUTE = 60_000;

function changed(element) {
  element.dispatchEvent(new Event("change", { bubbles: true }));
}

function mark() {
  const start = field("start")?.value;
  for (const button of document.querySelectorAll("[data-fill-start].time")) {
    button.setAttribute("aria-pressed", String(button.dataset.fillStart === start));
  }
}

// --- choosing a time ----------------------------------------------------------------------------------------------

let length = 0;

function rememberLength() {
  const start = asNumber(field("start")?.value);
  const end = asNumber(field("end")?.value);
  if (end > start) length = end - start;
}

function fillEnd(end) {
  field("end").value = end;
  changed(field("end"));
}

let refocus = false;

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "answer" || !refocus) return;
  refocus = false;
  event.detail.target.querySelector(".answer-when, .change, .refusal")?.focus({ preventScroll: true });
});

function fill(start, end) {
  field("end").value = end;
  field("start").value = start;
  rememberLength();
  changed(field("start"));
  mark();
}

function onClick(event) {
  const time = event.target.closest("[data-fill-start]");
  if (time) {
    // The button goes with the old answer; a reader with a keyboard goes on at the new one.
    refocus = Boolean(time.closest("#answer"));
    return fill(time.dataset.fillStart, time.dataset.fillEnd);
  }
  const end = event.target.closest("[data-fill-end]");
  if (end) return fillEnd(end.dataset.fillEnd);
  const day = event.target.closest("[data-pick-day]");
  if (day) return pickDay(day.dataset.pickDay);
  const text = event.target.closest("[data-write]");
  if (text) return write(text);
  const copy = event.target.closest("[data-copy]");
  if (copy) void copyFrom(copy);
}

function pickDay(day) {
  const radio = form()?.querySelector(`[name="day"][value="${CSS.escape(day)}"]`);
  if (!radio) return;
  radio.checked = true;
  radio.scrollIntoView({ block: "nearest", inline: "center" });
  changed(radio);
}

function onLength(minutes) {
  const start = field("start");
  if (!start?.value || !(minutes > 0)) return;
  field("end").value = asWall(asNumber(start.value) + minutes * MINUTE);
  rememberLength();
  changed(start);
}

/** Another start keeps the length. */
function onStart() {
  const start = asNumber(field("start").value);
  const end = field("end");
  const chosen = length || Number(field("length")?.value) * MINUTE;
  if (start && chosen && !(asNumber(end.value) > start)) end.value = asWall(start + chosen);
  rememberLength();
  followDay();
  mark();
}

/** The strip and the times of a day show the day of the chosen start, however it was chosen. */
function followDay() {
  const day = field("start").value.slice(0, 10);
  if (day && form()?.querySelector("[name=day]:checked")?.value !== day) pickDay(day);
}

// --- organisation and projects ------------------------------------------------------------------------------------

function showProjects() {
  const projects = document.querySelector("[data-projects]");
  const organisation = projects ? document.querySelector(projects.dataset.projects)?.value : "";
  if (!organisation) return;
  for (const option of projects.options) {
    const foreign = Boolean(option.dataset.organisation) && option.dataset.organisation !== organisation;
    option.hidden = option.disabled = foreign;
    if (foreign && option.selected) projects.value = "";
  }
}

// --- reasons against a time -----------------------------------------------------------------------------------------

/** Scrolls the panel, not the page, until the reasons stand above its foot. */
function showReasons() {
  const panel = form();
  const reasons = document.getElementById("reasons");
  if (!panel || !reasons) return;
  if (panel.scrollHeight <= panel.clientHeight) return reasons.scrollIntoView({ block: "nearest", behavior: "smooth" });
  const foot = document.getElementById("panel-foot").offsetHeight;
  const { top, bottom } = reasons.getBoundingClientRect();
  const frame = panel.getBoundingClientRect();
  const below = Math.min(bottom - (frame.bottom - foot) + 12, top - frame.top - 12);
  if (below > 0 || top < frame.top) panel.scrollBy({ top: below, behavior: "smooth" });
}

// --- the end of a use ---------------------------------------------------------------------------------------------

/** Of a page that stays open: it goes on with the clock, to the booked end at most, until the reader sets it. */
function followClock() {
  const end = document.querySelector("[name=end][data-until]");
  if (!end) return;
  const [shown, opened, until] = [asNumber(end.value), Date.now(), asNumber(end.dataset.until)];
  const timer = setInterval(() => {
    const now = shown + Math.floor((Date.now() - opened) / MINUTE) * MINUTE;
    if (now > asNumber(end.value)) end.value = asWall(Math.max(shown, Math.min(now, until)));
  }, MINUTE / 4);
  end.addEventListener("input", () => clearInterval(timer), { once: true });
}

// --- small helps --------------------------------------------------------------------------------------------------

function write(button) {
  const target = document.querySelector(button.dataset.write);
  target.value = button.dataset.text;
  target.focus();
}

async function copyFrom(button) {
  const source = document.querySelector(button.dataset.copy);
  source.select();
  await navigator.clipboard.writeText(source.value).catch(() => document.execCommand("copy"));
  const words = button.querySelector("span");
  const before = words.textContent;
  words.textContent = button.dataset.copied;
  setTimeout(() => (words.textContent = before), 2000);
}

/** A part of a form that belongs to one choice of its radio buttons. */
function showParts(within = document) {
  for (const part of within.querySelectorAll("[data-shown-for]")) {
    const scope = part.closest("form").querySelector("[name=scope]:checked")?.value;
    part.hidden = scope !== part.dataset.shownFor;
  }
}

/** A small form beside the panel goes with what was chosen there. */
function takeAlong(event) {
  const panel = document.querySelector(event.target.dataset?.takes || ":not(*)");
  if (!panel) return;
  const chosen = new FormData(panel);
  for (const hidden of event.target.querySelectorAll("input[type=hidden]")) {
    if (!hidden.value && chosen.has(hidden.name)) hidden.value = chosen.get(hidden.name);
  }
}

document.addEventListener("submit", takeAlong, true);
document.addEventListener("click", onClick);
document.addEventListener("change", (event) => {
  const { target } = event;
  if (target.id === "id_length") onLength(Number(target.value));
  if (target.id === "id_start") onStart();
  if (target.id === "id_end") rememberLength();
  if (target.id === "id_organisation") showProjects();
  if (target.name === "scope") showParts();
  if (target.dataset.checkAll) {
    for (const box of document.getElementsByName(target.dataset.checkAll)) box.checked = target.checked;
  }
});
document.addEventListener("calendar:select", () => {
  rememberLength();
  mark();
  // On a phone the panel is far above the calendar.
  document.getElementById("answer")?.scrollIntoView({ block: "center", behavior: "smooth" });
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "times") mark();
  // What speaks against the choice must be seen; a price stands at the foot anyway.
  if (event.target.id === "answer") showReasons();
  if (event.target.id === "feeds") showParts();
});
// Opened by its key, the field for the reason is ready to type in.
document.addEventListener(
  "toggle",
  (event) => {
    if (event.target.open) event.target.querySelector("textarea")?.focus();
  },
  true,
);

// Back from another page, a browser fills in what was chosen before: times, price and reasons follow it.
window.addEventListener("pageshow", (event) => {
  const start = field("start");
  if (event.persisted || !form() || !start || start.value === start.defaultValue) return;
  const day = form().querySelector("[name=day]:checked");
  if (day) changed(day);
  changed(start);
});

followClock();
rememberLength();
mark();
showProjects();
showParts();
form()?.querySelector("[name=day]:checked")?.closest(".strip-day")?.scrollIntoView({ block: "nearest", inline: "center" });
showReasons();
