// The page is whole without this script. With it: the reader's own clock, and live changes.
"use strict";

(() => {
  const STEP = 3, HEIGHT = 28, POINTS = 60;
  const REFRESH_MILLISECONDS = 200, REFRESH_SPACING_MILLISECONDS = 1000;
  const main = document.querySelector("main[data-live]");
  const live = document.getElementById("live");
  const news = document.getElementById("news");
  document.documentElement.classList.add("scripted");
  if (!main) return;

  // --- Times, in the reader's zone and words ---
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

  function span(seconds) {
    if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
    return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds % 86400 / 3600)} h`;
  }

  function timeText(form, moment, now) {
    const seconds = (now - moment) / 1000;
    if (form === "time") return clock.format(moment);
    if (form === "ago") return seconds < 5 ? "just now" : `${span(seconds)} ago`;
    if (form === "since") {
      const sameDay = new Date(now).toDateString() === moment.toDateString();
      return `${sameDay ? clock.format(moment) : day.format(moment)} (${span(seconds)})`;
    }
    if (form === "for") return `for ${span(seconds)}`;
    return full.format(moment);
  }

  function tellTimes(root) {
    const now = Date.now();
    for (const element of root.querySelectorAll("time[data-form]")) {
      const text = timeText(element.dataset.form, new Date(element.dateTime), now);
      if (element.textContent !== text) element.textContent = text;
      if (!element.title) element.title = element.dateTime;
    }
  }

  // --- Bars of the last probes: milliseconds, -1 failed, null not judged ---
  function drawBars(svg, values) {
    const good = values.filter((value) => value !== null && value >= 0).sort((a, b) => a - b);
    const middle = good.length ? good[good.length >> 1] : 0;
    const top = Math.max(1, good.length ? good[good.length - 1] : 1, 2 * middle);
    const paths = { good: "", failed: "", unsure: "" };
    values.slice(-POINTS).forEach((value, index, shown) => {
      const x = (POINTS - shown.length + index) * STEP + 1;
      const kind = value === null ? "unsure" : value < 0 ? "failed" : "good";
      const height = kind === "unsure" ? 3 : kind === "failed" ? HEIGHT
        : 3 + (HEIGHT - 5) * Math.sqrt(value / top);
      paths[kind] += `M${x} ${HEIGHT}V${(HEIGHT - height).toFixed(1)}`;
    });
    for (const kind of Object.keys(paths)) {
      svg.querySelector(`.${kind}`).setAttribute("d", paths[kind]);
    }
  }

  function latestText(values) {
    const value = values[values.length - 1];
    if (value === undefined || value === null) return "";
    if (value < 0) return "failed";
    if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
    return value < 10 ? `${value.toFixed(1)} ms` : `${value.toFixed(0)} ms`;
  }

  function showLatency(services) {
    for (const [name, values] of Object.entries(services)) {
      const key = CSS.escape(name);
      const svg = main.querySelector(`[data-bars="${key}"]`);
      if (svg) drawBars(svg, values);
      const latest = main.querySelector(`[data-latest="${key}"]`);
      if (latest) latest.textContent = latestText(values);
    }
  }

  // --- A new rendering replaces only what differs: no flicker, focus and open parts stay ---
  const keyOf = (node) => node.nodeType === 1 ? node.dataset.key || node.id || "" : "";

  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== 1) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if (old.isEqualNode(fresh)) return;
    morphAttributes(old, fresh);
    if (old.nodeName !== "INPUT") morphChildren(old, fresh);
  }

  function morphAttributes(old, fresh) {
    const keepsOpen = old.nodeName === "DETAILS";
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !(keepsOpen && name === "open")) {
        old.setAttribute(name, value);
      }
    }
    for (const { name } of [...old.attributes]) {
      const ours = (keepsOpen && name === "open") || name === "hidden";
      if (!fresh.hasAttribute(name) && !ours) old.removeAttribute(name);
    }
  }

  function morphChildren(old, fresh) {
    const byKey = new Map();
    for (const child of old.children) if (keyOf(child)) byKey.set(keyOf(child), child);
    let next = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const key = keyOf(child);
      let match = key ? byKey.get(key) : next;
      if (!key && match && keyOf(match)) match = null;
      if (!match) {
        old.insertBefore(child, next);
        continue;
      }
      if (match !== next) old.insertBefore(match, next);
      else next = next.nextSibling;
      morph(match, child);
    }
    while (next) {
      const following = next.nextSibling;
      next.remove();
      next = following;
    }
  }

  let refreshing = false, wanted = false, timer = 0, lastRefresh = 0;

  function refreshSoon() {
    wanted = true;
    if (refreshing || timer) return;
    const pause = Math.max(REFRESH_MILLISECONDS, lastRefresh + REFRESH_SPACING_MILLISECONDS - Date.now());
    timer = setTimeout(refresh, pause);
  }

  async function refresh() {
    timer = 0;
    wanted = false;
    refreshing = true;
    lastRefresh = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.redirected && new URL(answer.url).pathname === "/login") location.reload();
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("main");
      tellTimes(fresh);
      morph(main, document.adoptNode(fresh));
      document.title = page.title;
      applyFilter();
    } catch (error) {
      wanted = true;
    }
    refreshing = false;
    if (wanted) refreshSoon();
  }

  // --- Live ---
  function showLive(works) {
    live.hidden = false;
    live.classList.toggle("live-broken", !works);
    document.getElementById("live-text").textContent = works ? "live" : "connecting again";
  }

  function tellNews(events) {
    const spoken = events.filter((event) => /^(service|incident|alert)\//.test(event.entity));
    if (spoken.length) news.textContent = spoken.slice(-3).map((event) => event.text).join(". ");
  }

  function listen() {
    const source = new EventSource(`/api/stream?last_event_id=${main.dataset.sequence}`);
    source.onopen = () => showLive(true);
    source.onerror = () => {
      showLive(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    };
    source.addEventListener("hello", () => showLive(true));
    source.addEventListener("change", (event) => {
      const change = JSON.parse(event.data);
      if (!change.events.length) return;
      tellNews(change.events);
      refreshSoon();
    });
    source.addEventListener("latency", (event) => showLatency(JSON.parse(event.data).services));
    source.addEventListener("reset", refreshSoon);
  }

  // --- Filter and buttons ---
  const filter = () => document.getElementById("filter");

  function applyFilter() {
    const text = filter() ? filter().value.trim().toLowerCase() : "";
    for (const row of main.querySelectorAll("[data-name]")) {
      row.hidden = Boolean(text) && !row.dataset.name.includes(text);
    }
  }

  async function post(button) {
    button.disabled = true;
    try {
      const answer = await fetch(button.dataset.post, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
      });
      if (!answer.ok) news.textContent = button.textContent = (await answer.json()).detail;
    } catch (error) {
      button.disabled = false;
    }
  }

  main.addEventListener("input", (event) => { if (event.target === filter()) applyFilter(); });
  main.addEventListener("submit", (event) => { if (event.target.matches(".filter")) event.preventDefault(); });
  main.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-post]");
    if (button) post(button);
  });

  tellTimes(main);
  setInterval(() => tellTimes(main), 1000);
  listen();
})();
