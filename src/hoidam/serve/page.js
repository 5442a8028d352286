"use strict";
{% include "pages/base.js" %}
(() => {
  const find = (id) => document.getElementById(id);
  const [form, input, count, submit, status, result] = ["form", "input", "count", "submit", "status", "result"].map(find);
  const longest = Number(input.dataset.longest);
  let record = null;

  const make = (name, className, text = "") => {
    const node = document.createElement(name);
    node.className = className;
    node.textContent = shownText(text);
    return node;
  };
  const bySize = (one, other) => other.end - one.end || (one.type < other.type ? -1 : 1);

  // Hues lie evenly on a circle over the sorted names, as on the pages that `hoidam view` writes.
  const hues = (names, first) => {
    const sorted = [...new Set(names)].sort();
    return new Map(sorted.map((name, at) => [name, Math.round(first + 360 * at / sorted.length) % 360]));
  };
  const cssString = (text) => `"${[...shownText(text)].map((sign) => `\\${sign.codePointAt().toString(16)} `).join("")}"`;

  // Offsets count code points; a string of JavaScript counts an emoji twice, an array of its signs once.
  function marked(text, spans) {
    const signs = [...text];
    const root = document.createDocumentFragment();
    const open = [];
    const inner = () => open.at(-1)?.node ?? root;
    const edges = new Set([0, signs.length, ...spans.flatMap(({ start, end }) => [start, end])]);
    let position = 0;
    for (const edge of [...edges].sort((one, other) => one - other)) {
      if (position < edge) inner().append(shownText(signs.slice(position, edge).join("")));
      position = edge;
      const waiting = spans.filter(({ start }) => start === edge);
      // A mark that crosses the end of another is split there: closed, and opened again behind it.
      while (open.some(({ span }) => span.end === edge)) {
        const { span } = open.pop();
        if (span.end > edge) waiting.push(span);
      }
      for (const span of waiting.sort(bySize)) {
        const node = inner().appendChild(document.createElement("mark"));
        open.push({ span, node });
        const last = open.every((other) => other.span.end >= span.end);
        node.classList.toggle("a", span.start === edge);
        node.classList.toggle("z", last);
        node.classList.toggle("k", last && Boolean(span.category));
        node.dataset.span = spans.indexOf(span);
      }
    }
    return root;
  }

  function colour(node, type, category, palette) {
    node.style.setProperty("--h", palette.types.get(type));
    node.style.setProperty("--n", cssString(type));
    if (!category) return;
    node.style.setProperty("--hc", palette.categories.get(category));
    node.style.setProperty("--k", cssString(category));
  }

  function row(span, at, palette) {
    const item = document.createElement("li");
    const button = item.appendChild(make("button", "row"));
    button.type = "button";
    button.dataset.at = at;
    const surface = make("span", "surface");
    surface.append(make("bdi", "", span.text.replace(/\s+/g, " ")));
    if (span.category) surface.append(" ", make("bdi", "pill", span.category));
    button.append(make("bdi", "tag", span.type), surface, make("span", "count", span.score.toFixed(2)));
    colour(button, span.type, span.category, palette);
    return item;
  }

  function bar([name, score], palette) {
    const item = document.createElement("li");
    const words = name.split(/(?<=_)/).map((word) => [shownText(word), document.createElement("wbr")]);
    const label = make("b", "");
    label.append(...words.flat());
    item.append(label, make("span", "count", score.toFixed(2)), document.createElement("i"));
    item.style.setProperty("--v", score);
    item.style.setProperty("--hc", palette.categories.get(name));
    return item;
  }

  function showRecord(text) {
    const { spans, categories } = record;
    const palette = {
      types: hues(spans.map((span) => span.type), 255),
      categories: hues([...spans.flatMap((span) => span.category ?? []), ...Object.keys(categories)], 20),
    };
    find("text").replaceChildren(marked(text, spans));
    for (const mark of find("text").querySelectorAll("mark")) {
      const span = spans[mark.dataset.span];
      colour(mark, span.type, span.category, palette);
      mark.title = `${span.type}${span.category ? ` · ${span.category}` : ""} · score ${span.score.toFixed(2)}`;
    }
    find("found").replaceChildren(...spans.map((span, at) => row(span, at, palette)));
    const scores = Object.entries(categories).sort((one, other) => other[1] - one[1]);
    find("categories").replaceChildren(...scores.map((entry) => bar(entry, palette)));
    find("none").hidden = scores.length > 0;
    result.hidden = false;
  }

  function say(text, isError = false) {
    status.textContent = text;
    status.classList.toggle("error", isError);
  }

  function counted() {
    const length = [...input.value].length;
    count.textContent = `${length.toLocaleString("en")} of ${longest.toLocaleString("en")} characters`;
    count.classList.toggle("error", length > longest);
  }

  async function ask(text) {
    const response = await fetch("tag", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text }),
    });
    const answer = await response.json();
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  async function tag() {
    const text = input.value;
    if (submit.disabled) return;
    if (!text.trim()) {
      say("Paste an article first.", true);
      input.focus();
      return;
    }
    submit.disabled = true;
    say("Reading …");
    const start = performance.now();
    try {
      record = await ask(text);
      showRecord(text);
      const seconds = ((performance.now() - start) / 1000).toFixed(2);
      say(`${record.spans.length} span${record.spans.length === 1 ? "" : "s"} in ${seconds} s, by ${record.model}`);
    } catch (error) {
      result.hidden = true;
      say(error instanceof TypeError ? "The service does not answer. Is it still running?" : error.message, true);
    } finally {
      submit.disabled = false;
    }
  }

  async function copy() {
    const text = JSON.stringify(record, null, 2);
    try {
      await navigator.clipboard.writeText(text);
      say("Copied.");
    } catch {
      // Clipboards are closed to pages from other machines without TLS: there it can be copied by hand.
      find("json").textContent = text;
      find("json").hidden = false;
      getSelection().selectAllChildren(find("json"));
      say("Press Ctrl+C to copy the marked text.");
    }
  }

  function goTo(at) {
    const marks = find("text").querySelectorAll(`mark[data-span="${at}"]`);
    document.querySelectorAll("mark.seen").forEach((mark) => mark.classList.remove("seen"));
    marks.forEach((mark) => mark.classList.add("seen"));
    marks[0]?.scrollIntoView({ block: "center", behavior: "smooth" });
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); tag(); });
  input.addEventListener("input", counted);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); tag(); }
  });
  find("sample").addEventListener("click", () => {
    input.value = find("example").content.textContent.trim();
    counted();
    tag();
  });
  find("clear").addEventListener("click", () => {
    input.value = "";
    result.hidden = true;
    counted();
    say("");
    input.focus();
  });
  find("copy").addEventListener("click", copy);
  find("found").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) goTo(button.dataset.at);
  });
  counted();
  input.focus();
})();
