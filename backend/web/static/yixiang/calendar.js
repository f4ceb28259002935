// Turns <div data-calendar …> into an Event Calendar; docs/frontend.md lists the attributes.
//
// Event Calendar shows the wall time it is given and knows no time zones. The server speaks in instants; here they
// become wall time of the calendar's zone and back, whatever zone the reader's computer is in.

const texts = document.getElementById("texts").dataset;
const root = document.documentElement;
const phone = window.matchMedia("(max-width: 767.98px)");
const made = new Map();

// --- time zones ---------------------------------------------------------------------------------------------------

const clocks = new Map();

function clock(zone) {
  if (!clocks.has(zone)) {
    clocks.set(
      zone,
      new Intl.DateTimeFormat("en-CA", {
        timeZone: zone,
        hourCycle: "h23",
        year: "numeric",
        month: "2-digit",
        day: "2-digit",
        hour: "2-digit",
        minute: "2-digit",
        second: "2-digit",
      }),
    );
  }
  return clocks.get(zone);
}

/** "2026-03-05T09:00:00", what a clock in the zone shows at an instant. */
function wallTime(instant, zone) {
  const part = Object.fromEntries(clock(zone).formatToParts(instant).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}`;
}

/** Milliseconds by which the zone's clock is ahead of UTC at an instant. */
const ahead = (instant, zone) => Date.parse(`${wallTime(instant, zone)}Z`) - Math.floor(instant / 1000) * 1000;

/** The instant at which the zone's clock shows a wall time; in a gap the later, in a fold the earlier. */
function instantOf(wall, zone) {
  const asUtc = Date.parse(`${wall.slice(0, 19)}Z`);
  const first = asUtc - ahead(asUtc - ahead(asUtc, zone), zone);
  const earlier = asUtc - ahead(first - 86_400_000, zone);
  return wallTime(earlier, zone) === wall.slice(0, 19) ? earlier : first;
}

function offsetNow(zone) {
  const minutes = Math.round(ahead(Date.now(), zone) / 60_000);
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

const hasOffset = (text) => /(Z|[+-]\d\d:?\d\d)$/.test(text) && text.includes("T");
const toWall = (text, zone) => (hasOffset(text) ? wallTime(Date.parse(text), zone) : text);
const toIso = (instant) => new Date(instant).toISOString().replace(".000Z", "Z");

// --- events -------------------------------------------------------------------------------------------------------

function asEvent(given, zone, movable) {
  const may = (movable && given.movable) || "";
  return {
    id: given.id,
    title: given.title ?? "",
    start: toWall(given.start, zone),
    end: toWall(given.end, zone),
    allDay: given.allDay ?? false,
    display: given.background ? "background" : "auto",
    resourceIds: given.resource === undefined ? [] : [given.resource],
    classNames: [`ev-${given.tone ?? "busy"}`, ...(may ? ["ev-movable"] : [])],
    startEditable: may === "both",
    durationEditable: may !== "",
    extendedProps: { url: given.url ?? "", detail: given.detail ?? "", change: given.change ?? "" },
  };
}

async function load(element, zone, { startStr, endStr }) {
  const url = new URL(element.dataset.eventsUrl, window.location.href);
  url.searchParams.set("start", toIso(instantOf(startStr, zone)));
  url.searchParams.set("end", toIso(instantOf(endStr, zone)));
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const body = await answer.json();
  const events = (Array.isArray(body) ? body : body.items).map((given) => asEvent(given, zone, "movable" in element.dataset));
  return "fromToday" in element.dataset ? [...events, ...past(startStr, endStr, zone)] : events;
}

/** What lies behind, in grey: each day of the range up to now. */
function past(startStr, endStr, zone) {
  const now = wallTime(Date.now(), zone);
  const end = endStr < now ? endStr : now;
  return startStr < end ? [{ id: "past", start: startStr, end, display: "background", classNames: ["ev-past"] }] : [];
}

// --- dragging an event ----------------------------------------------------------------------------------------------

/** Only asks: the page says what the change would mean and calls `revert` unless it is done. */
function dropped(element, zone, { event, oldResource, newResource, revert }) {
  if (oldResource && newResource && oldResource.id !== newResource.id) {
    revert();
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: texts.otherResource, level: "info" } }));
    return;
  }
  const [start, end] = [event.start, event.end].map((wall) => toIso(instantOf(wallText(wall), zone)));
  const detail = { url: event.extendedProps.change, start, end, revert };
  element.dispatchEvent(new CustomEvent("calendar:change", { bubbles: true, detail }));
}

/** "2026-03-05T09:00:00" of a date whose local parts are the wall time shown. */
function wallText(date) {
  const two = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:00`;
}

// --- selection ----------------------------------------------------------------------------------------------------

function write(selector, text) {
  const field = selector ? document.querySelector(selector) : null;
  if (!field) return;
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

function chosen(element, zone, { startStr, endStr, resource }) {
  const [start, end] = [startStr, endStr].map((wall) => toIso(instantOf(wall, zone)));
  const utc = element.dataset.write === "utc";
  write(element.dataset.resourceField, resource?.id ?? "");
  // The end first: who listens to the start's change then finds both.
  write(element.dataset.endField, utc ? end : endStr.slice(0, 16));
  write(element.dataset.startField, utc ? start : startStr.slice(0, 16));
  const unselect = () => made.get(element)?.unselect();
  element.dispatchEvent(
    new CustomEvent("calendar:select", { bubbles: true, detail: { start, end, resource: resource?.id, unselect } }),
  );
}

/** While the reader still drags: the fields follow, and who listens to typing answers. */
function follow(element, { startStr, endStr }) {
  if (!("live" in element.dataset)) return;
  for (const [selector, wall] of [[element.dataset.endField, endStr], [element.dataset.startField, startStr]]) {
    const field = selector ? document.querySelector(selector) : null;
    if (!field || field.value === wall.slice(0, 16)) continue;
    field.value = wall.slice(0, 16);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

// --- the calendar -------------------------------------------------------------------------------------------------

function resourcesOf(element) {
  const data = document.getElementById(element.dataset.resources ?? "");
  return data ? JSON.parse(data.textContent) : [];
}

function hourText(date) {
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}

const longDay = new Intl.DateTimeFormat(root.lang, { year: "numeric", month: "long", day: "numeric" });
const weekday = new Intl.DateTimeFormat(root.lang, { weekday: "short" });

/** "2026年11月16日–22日": browsers' own ranges are all digits in Chinese. */
function titleText(start, end) {
  if (!root.lang.startsWith("zh")) return longDay.formatRange(start, end);
  const first = longDay.format(start);
  if (start.toDateString() === end.toDateString()) return first;
  const day = `${end.getDate()}日`;
  return `${first}–${start.getMonth() === end.getMonth() ? day : `${end.getMonth() + 1}月${day}`}`;
}

const BUTTONS = {
  timeGridDay: "day",
  timeGridWeek: "week",
  dayGridMonth: "month",
  listDay: "list",
  listWeek: "list",
  listMonth: "list",
  resourceTimeGridDay: "day",
  resourceTimelineDay: "day",
  resourceTimelineWeek: "week",
  resourceTimelineMonth: "month",
};

/** Monday; where a week begins with today, the weekday that is today. */
function firstDay(element, zone) {
  return "fromToday" in element.dataset ? new Date(`${wallTime(Date.now(), zone).slice(0, 10)}T12:00`).getDay() : 1;
}

function options(element) {
  const data = element.dataset;
  const zone = data.zone || root.dataset.zone;
  const view = phone.matches ? data.viewPhone || phoneView(data.view) : data.view || "timeGridWeek";
  const views = (data.views ?? "").split(",").filter(Boolean);
  return {
    view,
    locale: root.lang,
    firstDay: firstDay(element, zone),
    date: data.date || wallTime(Date.now(), zone).slice(0, 10),
    timeZone: offsetNow(zone),
    headerToolbar: { start: "prev,next today", center: "title", end: views.length > 1 ? views.join(",") : "" },
    buttonText: (usual) => ({
      ...usual,
      ...Object.fromEntries(Object.entries(BUTTONS).map(([name, word]) => [name, texts[word]])),
      today: texts.today,
      prev: texts.previous,
      next: texts.next,
    }),
    allDaySlot: "allDay" in data,
    allDayContent: texts.allDay,
    noEventsContent: texts.nothing,
    moreLinkContent: ({ num }) => `+${num} ${texts.more}`,
    dayMaxEvents: true,
    nowIndicator: true,
    slotMinTime: data.from || "00:00",
    slotMaxTime: data.to || "24:00",
    slotDuration: data.step || "00:30",
    scrollTime: data.scroll || data.from || "08:00",
    slotLabelFormat: hourText,
    eventTimeFormat: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    titleFormat: titleText,
    dayHeaderFormat: (date) => `${weekday.format(date)} ${date.getDate()}`,
    views: {
      dayGridMonth: { dayHeaderFormat: { weekday: "short" }, titleFormat: { year: "numeric", month: "long" } },
      timeGridDay: { dayHeaderFormat: { weekday: "long" }, titleFormat: titleText },
      listWeek: { titleFormat: titleText },
      resourceTimelineDay: { slotDuration: "01:00", slotLabelInterval: "01:00", slotWidth: 56 },
      resourceTimelineMonth: { slotDuration: { days: 1 }, slotMinTime: "00:00", slotMaxTime: "24:00", slotWidth: 44 },
    },
    height: data.height || undefined,
    resources: resourcesOf(element),
    selectable: "selectable" in data,
    selectMinDistance: 3,
    longPressDelay: 350,
    unselectAuto: false,
    editable: false,
    eventSources: [{ events: (range, ok, fail) => void load(element, zone, range).then(ok, fail) }],
    loading: (now) => element.setAttribute("aria-busy", String(now)),
    selectConstraint: (range) => {
      const ahead = !(("fromToday" in data) || ("future" in data)) || range.startStr >= wallTime(Date.now(), zone);
      if (ahead) follow(element, range);
      return ahead;
    },
    snapDuration: data.snap || "00:30",
    eventDrop: (info) => dropped(element, zone, info),
    eventResize: (info) => dropped(element, zone, info),
    select: (range) => chosen(element, zone, range),
    eventClick: ({ event }) => {
      if (event.extendedProps.url) window.location.assign(event.extendedProps.url);
    },
    eventDidMount: ({ el, event, timeText }) => {
      el.title = [timeText, event.title, event.extendedProps.detail].filter(Boolean).join(" · ");
      if (event.extendedProps.url) el.classList.add("ev-link");
    },
  };
}

function phoneView(view = "timeGridWeek") {
  return { timeGridWeek: "timeGridDay", resourceTimelineWeek: "resourceTimelineDay", dayGridMonth: "listWeek" }[view] ?? view;
}

function draw(element) {
  if (made.has(element)) return;
  const calendar = window.EventCalendar.create(element, options(element));
  made.set(element, calendar);
  for (const name of (element.dataset.refreshOn ?? "").split(/[\s,]+/).filter(Boolean)) {
    document.body.addEventListener(name, () => {
      calendar.unselect();
      calendar.refetchEvents();
    });
  }
}

function drawAll(within) {
  for (const element of made.keys()) {
    if (!element.isConnected) {
      window.EventCalendar.destroy(made.get(element));
      made.delete(element);
    }
  }
  if (within.matches?.("[data-calendar]")) draw(within);
  for (const element of within.querySelectorAll("[data-calendar]")) draw(element);
}

drawAll(document);
document.addEventListener("htmx:load", (event) => drawAll(event.detail.elt));
