/* The list of events: only the rows in sight are there, so that 100,000 cost no more than 20. */
"use strict";
(() => {
  const by = (id) => document.getElementById(id);
  const source = by("data");
  if (!source)
    return;
  const data = JSON.parse(source.textContent);
  source.remove();
  const list = by("list"), detail = by("detail"), find = by("find"), which = by("process"), matches = by("matches");
  const plain = by("plain"), filter = by("filter");
  const count = data.x.length, EVIDENCE = 64, FAILED = 1;
  const numbers = new Float64Array(count), times = new Float64Array(count), stacks = new Map();
  for (let i = 0, n = 0, t = 0; i < count; i++) {
    numbers[i] = n += data.n[i];
    times[i] = t += data.t[i];
  }
  for (let i = 0; i < data.s.length; i += 2)
    stacks.set(data.s[i], data.s[i + 1]);
  const lower = []; /* made when first wanted */

  let shown = [], at = -1, open = -1, height = 28;
  const canvas = document.createElement("div");
  canvas.setAttribute("role", "presentation");
  list.append(canvas);

  const seconds = (i) => (times[i] / 1e6).toFixed(6);
  const who = (i) => `${data.programs[data.p[i]]} ${data.pids[data.p[i]]}`.trim();

  function cell(name, text) {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = text;
    return span;
  }

  function row(place) {
    const i = shown[place], div = document.createElement("div"), kinds = data.k[i];
    div.className = "row" + (kinds & EVIDENCE ? " proves" : kinds & FAILED ? " fails" : "") + (place === at ? " at" : "");
    div.id = `row${place}`;
    div.setAttribute("role", "option");
    div.setAttribute("aria-selected", String(place === at));
    div.setAttribute("aria-posinset", String(place + 1));
    div.setAttribute("aria-setsize", String(shown.length));
    div.style.top = `${place * height}px`;
    div.append(cell("n", numbers[i]), cell("t", seconds(i)), cell("p", who(i)), cell("x", data.texts[data.x[i]]));
    return div;
  }

  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / height) - 8);
    const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / height) + 16);
    const rows = [];
    for (let place = first; place < last; place++)
      rows.push(row(place));
    if (!shown.length)
      rows.push(cell("none", "No event is like that."));
    canvas.replaceChildren(...rows);
    if (at >= first && at < last)
      list.setAttribute("aria-activedescendant", `row${at}`);
    else
      list.removeAttribute("aria-activedescendant");
  }

  function measure() {
    const probe = document.createElement("div");
    probe.className = "row";
    canvas.append(probe);
    height = probe.getBoundingClientRect().height || 28;
    probe.remove();
    canvas.style.height = `${shown.length * height}px`;
  }

  function tell() {
    const i = open;
    detail.hidden = i < 0;
    if (i < 0)
      return;
    const thread = data.d[i] ? `, thread ${data.pids[data.p[i]] + data.d[i]}` : "";
    const lines = [`event ${numbers[i]}, ${seconds(i)} s after the start, ${who(i)}${thread}`, data.texts[data.x[i]]];
    if (stacks.has(numbers[i]))
      lines.push(data.texts[stacks.get(numbers[i])]);
    detail.textContent = lines.join("\n");
  }

  function go(place) {
    if (!shown.length)
      return;
    at = Math.max(0, Math.min(shown.length - 1, place));
    open = shown[at];
    const top = at * height;
    if (top < list.scrollTop)
      list.scrollTop = top;
    else if (top + height > list.scrollTop + list.clientHeight)
      list.scrollTop = top + height - list.clientHeight;
    draw();
    tell();
  }

  function wanted() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = Number(filter.querySelector("input[name=kind]:checked").value);
    const process = which.value === "" ? -1 : Number(which.value);
    if (words.length && !lower.length)
      for (const text of data.texts)
        lower.push(text.toLowerCase());
    const fits = (i) => words.every((word) => lower[data.x[i]].includes(word) || String(numbers[i]) === word);
    const found = [];
    for (let i = 0; i < count; i++)
      if ((!kind || data.k[i] & kind) && (process < 0 || data.p[i] === process) && (!words.length || fits(i)))
        found.push(i);
    return found;
  }

  function refresh() {
    const kept = open;
    shown = wanted();
    at = shown.indexOf(kept);
    matches.textContent = `${shown.length.toLocaleString("en")} of ${count.toLocaleString("en")}`;
    measure();
    list.scrollTop = at >= 0 ? Math.max(0, at * height - list.clientHeight / 2) : 0;
    draw();
  }

  function reveal(place) {
    if (place < 0)
      return;
    list.scrollTop = Math.max(0, place * height - list.clientHeight / 2);
    draw();
  }

  /* #e812: that event in the list, whatever was filtered before. */
  function follow() {
    const n = Number((/^#e(\d+)$/.exec(location.hash) || [])[1]);
    const i = n ? numbers.indexOf(n) : -1;
    if (i < 0)
      return;
    if (!shown.includes(i)) {
      find.value = which.value = "";
      filter.querySelector("input[name=kind][value='0']").checked = true;
      refresh();
    }
    go(shown.indexOf(i));
    reveal(at);
    list.focus({ preventScroll: true });
    by("events").scrollIntoView();
  }

  data.programs.forEach((name, i) => {
    const option = document.createElement("option");
    option.value = i;
    option.textContent = `${name} ${data.pids[i]}`.trim();
    which.append(option);
  });
  for (const chip of filter.querySelectorAll("input[name=kind]"))
    chip.closest("label").hidden = chip.value !== "0" && !data.k.some((kinds) => kinds & chip.value);

  plain.remove();
  filter.hidden = list.hidden = false;
  let waiting = 0;
  find.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(refresh, 80); });
  filter.addEventListener("change", (event) => { if (event.target !== find) refresh(); });
  list.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  list.addEventListener("click", (event) => {
    const hit = event.target.closest(".row");
    if (hit)
      go(Number(hit.id.slice(3)));
  });
  list.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(list.clientHeight / height) - 1);
    const steps = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, PageDown: at + page, PageUp: at - page, Home: 0,
      End: shown.length - 1 };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey)
      return;
    event.preventDefault();
    go(steps[event.key]);
  });
  addEventListener("resize", () => { measure(); draw(); });
  addEventListener("hashchange", follow);
  refresh();
  if (location.hash)
    follow();
  else
    reveal(data.k.findIndex((kinds) => kinds & EVIDENCE));
})();
