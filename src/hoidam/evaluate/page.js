// A printed page has what is closed on the screen.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});

(() => {
  const holder = document.getElementById("data");
  if (!holder) return;
  const { hues, errors } = JSON.parse(holder.textContent);
  const form = document.querySelector(".filters");
  const head = document.querySelector("#list thead");
  const body = document.querySelector("#list tbody");
  const status = document.getElementById("status");
  const empty = document.getElementById("empty");
  const more = document.getElementById("more");
  const STEP = 50;
  const FIELDS = ["kind", "type", "category", "article", "text"];
  const SIDES = [["gold", "gold"], ["predicted", "prediction"]];
  let sorting = { by: "article", down: false };
  let fitting = [];

  const distinct = (values) => [...new Set(values.filter(Boolean))];
  const spansOf = (error) => [...error.gold, ...error.predicted];
  const labels = (error, name) => distinct(spansOf(error).map((span) => span[name]));
  const scoreOf = (error) => Math.max(...error.predicted.map((span) => span.score ?? -1), -1);
  const rows = errors.map((error, order) => ({
    error, order, article: error.article, kind: error.kind, score: scoreOf(error),
    types: labels(error, "type"), categories: labels(error, "category"),
    start: Math.min(...spansOf(error).map((span) => span.start)),
  }));

  let index = null;
  const contents = () => index ??= rows.map(({ error }) => {
    const exact = folded([error.context.text, ...spansOf(error).map((span) => span.text)].join(" "));
    return { exact, plain: plain(exact) };
  });

  function fits(row, wanted) {
    return (!wanted.kind || row.kind === wanted.kind)
      && (!wanted.article || shownText(row.article) === wanted.article)
      && (!wanted.type || row.types.some((name) => shownText(name) === wanted.type))
      && (!wanted.category || row.categories.some((name) => shownText(name) === wanted.category))
      && (!wanted.text || contents()[row.order][wanted.loose ? "plain" : "exact"].includes(wanted.text));
  }

  const collator = new Intl.Collator("en", { numeric: true });
  const keys = {
    article: (row) => row.article, kind: (row) => row.kind, score: (row) => row.score,
    type: (row) => row.types.join(" "), category: (row) => row.categories.join(" "),
  };

  function compare(one, other) {
    const key = keys[sorting.by];
    const [a, b] = [key(one), key(other)];
    const first = typeof a === "number" ? a - b : collator.compare(a, b);
    return (sorting.down ? -first : first)
      || collator.compare(one.article, other.article) || one.start - other.start || one.order - other.order;
  }

  function update() {
    const wanted = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name]?.value ?? ""]));
    wanted.text = folded(wanted.text);
    wanted.loose = wanted.text === plain(wanted.text);
    fitting = rows.filter((row) => fits(row, wanted)).sort(compare);
    const total = errors.length.toLocaleString("en");
    const found = fitting.length.toLocaleString("en");
    status.textContent = fitting.length === errors.length ? `${total} error${total === "1" ? "" : "s"}` : `${found} of ${total} errors`;
    for (const cell of head.querySelectorAll("th")) {
      if (cell.querySelector("button")?.dataset.sort === sorting.by) cell.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    body.replaceChildren();
    extend();
  }

  function extend() {
    const from = body.childElementCount;
    body.append(...fitting.slice(from, from + STEP).map(rowOf));
    const left = fitting.length - body.childElementCount;
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(left, STEP)} more of ${left.toLocaleString("en")}`;
    empty.hidden = fitting.length > 0;
  }

  function make(tag, name, ...children) {
    const node = document.createElement(tag);
    if (name) node.className = name;
    node.append(...children.map((child) => typeof child === "string" ? shownText(child) : child));
    return node;
  }

  function cell(name, ...children) {
    const node = make("td", name, ...children);
    node.setAttribute("role", "cell");
    return node;
  }

  function rowOf({ error, types, categories, score }) {
    const row = make("tr", "",
      cell("article", make("bdi", "", error.article)),
      cell("kind", error.kind),
      cell("type", types.join(" → ")),
      cell("category", categories.join(" → ")),
      cell("score", score < 0 ? "" : score.toFixed(2)),
      cell("where", ...SIDES.flatMap((side) => sideLines(error, side)), context(error)));
    row.setAttribute("role", "row");
    return row;
  }

  function sideLines(error, [side, title]) {
    const label = (span) => [span.type, span.category].filter(Boolean).join(" · ");
    if (!error[side].length) return [make("p", "side-line", make("b", "", title), make("span", "soft", "nothing"))];
    return error[side].map((span) => make("p", "side-line", make("b", "", title),
      coloured(make("span", "tag", label(span)), hues[span.type]), make("bdi", "", `“${span.text}”`),
      ...(span.score == null ? [] : [make("span", "score", span.score.toFixed(2))])));
  }

  function coloured(node, hue) {
    node.style.setProperty("--h", hue ?? 0);
    return node;
  }

  // Offsets count code points, the strings of this language count UTF-16 units.
  function context(error) {
    const points = Array.from(error.context.text);
    const inside = (span) => [span.start, span.end].map((at) => Math.min(Math.max(at - error.context.start, 0), points.length));
    const sides = { g: error.gold.map(inside), p: error.predicted.map(inside) };
    const edges = distinct([...sides.g.flat(), ...sides.p.flat(), points.length]).sort((a, b) => a - b);
    const node = make("p", "context");
    node.lang = "";
    let from = 0;
    for (const to of edges) {
      const names = Object.entries(sides).flatMap(([side, spans]) => spans
        .filter(([start, end]) => start <= from && to <= end)
        .flatMap(([start, end]) => [side, ...(start === from ? [`${side}s`] : []), ...(end === to ? [`${side}e`] : [])]));
      const text = points.slice(from, to).join("");
      node.append(names.length ? make("mark", names.join(" "), text) : shownText(text));
      from = to;
    }
    return node;
  }

  // The address keeps what is chosen, so that a view can be kept as a bookmark or sent along.
  function store() {
    const state = new URLSearchParams();
    for (const name of FIELDS) if (form.elements[name]?.value) state.set(name, form.elements[name].value);
    if (sorting.by !== "article" || sorting.down) state.set("sort", (sorting.down ? "-" : "") + sorting.by);
    try { history.replaceState(null, "", `#${state.size ? state : "errors"}`); } catch { /* some browsers keep local files from doing so */ }
  }

  function restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of FIELDS) if (form.elements[name]) form.elements[name].value = state.get(name) ?? "";
    for (const choice of form.querySelectorAll("select")) if (choice.selectedIndex < 0) choice.value = "";
    const sort = state.get("sort") ?? "article";
    const by = sort.replace(/^-/, "");
    sorting = Object.hasOwn(keys, by) ? { by, down: sort.startsWith("-") } : { by: "article", down: false };
    update();
    if (state.size && location.hash.includes("=")) document.getElementById("errors").scrollIntoView();
  }

  function choose(changes) {
    for (const name of FIELDS) if (form.elements[name]) form.elements[name].value = changes[name] ?? "";
    update();
    store();
  }

  form.addEventListener("input", () => { update(); store(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => { event.preventDefault(); choose({}); });
  more.addEventListener("click", extend);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { sort, article, clear } = button.dataset;
    if (sort) {
      sorting = { by: sort, down: sorting.by === sort ? !sorting.down : sort === "score" };
      update();
      store();
    }
    if (article !== undefined) {
      choose({ article });
      document.getElementById("errors").scrollIntoView();
      document.getElementById("errors-h").focus({ preventScroll: true });
    }
    if (clear !== undefined) { choose({}); form.elements.text.focus(); }
  });
  addEventListener("hashchange", () => location.hash.includes("=") && restore());
  new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && extend(), { rootMargin: "600px" }).observe(more);
  restore();
})();
