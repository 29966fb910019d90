// Keeps the page live. Without it, everything can be read, and every button works.
"use strict";

(() => {
  const CALM = 700; // the least time in milliseconds between two readings
  const live = document.getElementById("live");
  const notice = document.getElementById("notice");
  let isReading = false;
  let isStale = false;
  let isLeaving = false;
  let pressed = null; // the button that was pressed last
  let took = 0;
  let wait = 0;
  let offset = 0;

  // -- times: "in 12 min", as the server writes it

  const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  const lengthText = (seconds) => {
    const parts = [];
    let rest = seconds;
    let places = 0;
    for (const [unit, size] of UNITS) {
      const count = Math.floor(rest / size);
      rest %= size;
      if (count || places) {
        places += 1;
        if (count) parts.push(`${count} ${unit}`);
      }
      if (places === 2) break;
    }
    return parts.join(" ") || "0 s";
  };

  const tell = () => {
    const now = Date.now() + offset;
    for (const each of document.querySelectorAll(".relative")) {
      const seconds = Math.round((Date.parse(each.dataset.at) - now) / 1000);
      const length = lengthText(Math.abs(seconds));
      const text = seconds === 0 ? "now" : seconds > 0 ? `in ${length}` : `${length} ago`;
      if (each.textContent !== text) each.textContent = text;
    }
  };

  const setClock = () => {
    const main = document.getElementById("main");
    if (main && main.dataset.now) offset = Date.parse(main.dataset.now) - Date.now();
    tell();
  };

  // -- the new state: only what differs is changed, so that the focus and what is open stay

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id : "");

  const isSame = (one, other) =>
    one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

  const becomeAttributes = (old, fresh) => {
    for (const { name } of [...old.attributes]) {
      const isOpen = name === "open" && old.nodeName === "DETAILS";
      if (!fresh.hasAttribute(name) && !isOpen) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  const become = (old, fresh) => {
    if (old.nodeType === Node.TEXT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if (old === document.activeElement && /^(INPUT|SELECT)$/.test(old.nodeName)) return;
    becomeAttributes(old, fresh);
    const known = new Map();
    for (const child of old.children) if (child.id) known.set(child.id, child);
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const kept = known.get(keyOf(child));
      if (kept && kept !== at) old.insertBefore(kept, at);
      if (kept) at = kept;
      if (at && isSame(at, child)) {
        const next = at.nextSibling;
        become(at, child);
        at = next;
      } else {
        old.insertBefore(document.importNode(child, true), at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };

  const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

  const problemIn = (text, status) => {
    const problem = parsed(text).getElementById("problem");
    return problem ? problem.textContent : `The server answers with ${status}.`;
  };

  const show = (text) => {
    const main = parsed(text).getElementById("main");
    const old = document.getElementById("main");
    if (!main || !main.dataset.now) return;
    const focused = document.activeElement;
    become(old, main);
    keepFocus(focused);
    setClock();
  };

  // What is moved in the page loses the focus, and "Pause" becomes "Resume" under the fingers of whoever pressed it.
  const keepFocus = (focused) => {
    if (focused === document.activeElement) return;
    if (focused.isConnected) {
      focused.focus({ preventScroll: true });
      return;
    }
    if (focused !== pressed) return; // who has not pressed it would press the opposite of what was there
    const other = { pause: "resume", resume: "pause" }[focused.name];
    const twin = document.getElementById(`${other} ${focused.value}`);
    if (twin) twin.focus({ preventScroll: true });
  };

  const read = async () => {
    if (isLeaving) return;
    if (isReading) {
      isStale = true;
      return;
    }
    isReading = true;
    isStale = false;
    const begun = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.redirected) location.reload(); // the session has ended
      else if (answer.ok) show(await answer.text());
      else say(problemIn(await answer.text(), answer.status), true);
    } catch {
      setLive(false);
    } finally {
      isReading = false;
      took = Date.now() - begun;
      if (isStale) readSoon();
    }
  };

  const readSoon = () => {
    // A server that is slow to answer is asked less often.
    if (!wait) wait = setTimeout(() => { wait = 0; read(); }, Math.max(CALM, 4 * took));
  };

  // -- events

  const setLive = (isOn) => {
    live.classList.toggle("on", isOn);
    const text = isOn ? "Live" : "Connecting …";
    if (live.textContent !== text) live.textContent = text;
  };

  let source = null;

  const connect = () => {
    source = new EventSource(document.body.dataset.changes);
    source.addEventListener("open", () => { setLive(true); readSoon(); });
    source.addEventListener("change", readSoon);
    source.addEventListener("gap", readSoon);
    source.addEventListener("error", () => {
      setLive(false);
      if (source.readyState === EventSource.CLOSED) readRegularly(); // there are no events here
    });
  };

  const disconnect = () => {
    source.close();
    setLive(false);
  };

  let regular = 0;
  const readRegularly = () => {
    live.textContent = "Read again every 15 s";
    regular = regular || setInterval(read, 15000);
  };

  // A browser has few connections for one host: those of pages that nobody sees are for others.
  document.addEventListener("visibilitychange", () => {
    if (source.readyState === EventSource.CLOSED && !document.hidden) connect();
    else if (document.hidden) disconnect();
  });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // -- buttons and the search, without leaving the page

  const say = (text, isProblem) => {
    notice.classList.toggle("problem", isProblem);
    notice.textContent = text;
  };

  const act = async (form, button) => {
    const fields = new URLSearchParams(new FormData(form));
    fields.set(button.name, button.value);
    pressed = button;
    button.setAttribute("aria-busy", "true");
    try {
      isLeaving = button.name === "cancel"; // its page is gone then
      const answer = await fetch(form.action, { method: "POST", body: fields });
      const text = await answer.text();
      isLeaving &&= answer.ok;
      if (isLeaving) location.assign(answer.url);
      else if (answer.ok) say(parsed(text).getElementById("notice").textContent, false);
      else say(problemIn(text, answer.status), true);
    } catch {
      isLeaving = false;
      say("The server does not answer.", true);
    } finally {
      button.removeAttribute("aria-busy");
      read();
    }
  };

  const search = (form) => {
    const fields = new URLSearchParams(new FormData(form));
    for (const [name, value] of [...fields]) if (!value) fields.delete(name);
    history.replaceState(null, "", `${form.action}?${fields}`);
    read();
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.id === "actions" && event.submitter) {
      event.preventDefault();
      act(form, event.submitter);
    } else if (form.id === "search") {
      event.preventDefault();
      search(form);
    }
  });

  let typing = 0;
  document.addEventListener("input", (event) => {
    const form = event.target.closest("#search");
    if (!form) return;
    clearTimeout(typing);
    typing = setTimeout(() => search(form), 250);
  });

  setClock();
  setInterval(tell, 1000);
  setInterval(read, 60000);
  connect();
})();
