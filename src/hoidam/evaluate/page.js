// A printed page has what is closed on the screen.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});

(() => {
  const holder = document.getElementById("data");
  if (!holder) return;
  const errors = JSON.parse(holder.textContent);
  const form = document.querySelector(".filters");
  const list = document.getElementById("list");
  const status = document.getElementById("status");
  const empty = document.getElementById("empty");
  const more = document.getElementById("more");
  const STEP = 50;
  const FIELDS = ["kind", "type", "category", "article", "sort", "text"];
  const SIDES = [["gold", "gold", "g gs ge"], ["predicted", "prediction", "p ps pe"]];
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

  // Errors without a prediction have no score and come last either way.
  const collator = new Intl.Collator("en", { numeric: true });
  const orders = {
    article: () => 0,
    kind: (one, other) => collator.compare(one.kind, other.kind),
    type: (one, other) => collator.compare(one.types.join(), other.types.join()),
    category: (one, other) => collator.compare(one.categories.join(), other.categories.join()),
    sure: (one, other) => other.score - one.score,
    unsure: (one, other) => (one.score < 0) - (other.score < 0) || one.score - other.score,
  };
  const inText = (one, other) => collator.compare(one.article, other.article) || one.start - other.start || one.order - other.order;

  function update() {
    const wanted = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name]?.value ?? ""]));
    wanted.text = folded(wanted.text);
    wanted.loose = wanted.text === plain(wanted.text);
    fitting = rows.filter((row) => fits(row, wanted)).sort((one, other) => orders[wanted.sort](one, other) || inText(one, other));
    const total = `${errors.length.toLocaleString("en")} error${errors.length === 1 ? "" : "s"}`;
    status.textContent = fitting.length === errors.length ? total : `${fitting.length.toLocaleString("en")} of ${total}`;
    list.replaceChildren();
    extend();
  }

  const nearEnd = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && extend(), { rootMargin: "600px" });

  function extend() {
    const from = list.childElementCount;
    list.append(...fitting.slice(from, from + STEP).map(itemOf));
    const left = fitting.length - list.childElementCount;
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(left, STEP)} more of ${left.toLocaleString("en")}`;
    empty.hidden = fitting.length > 0;
    // Observed anew, it says once more whether the end of the list is near.
    nearEnd.unobserve(more);
    nearEnd.observe(more);
  }

  function make(tag, name, ...children) {
    const node = document.createElement(tag);
    if (name) node.className = name;
    node.append(...children.map((child) => typeof child === "string" ? shownText(child) : child));
    return node;
  }

  function itemOf({ error }) {
    return make("li", "",
      make("p", "what", make("b", "", error.kind), " ", make("bdi", "soft", error.article)),
      make("div", "", ...SIDES.flatMap((side) => sideLines(error, side)), context(error)));
  }

  function sideLines(error, [side, title, mark]) {
    const line = (...children) => make("p", "side-line", make("b", "", title), ...children);
    if (!error[side].length) return [line(make("span", "soft", "nothing"))];
    return error[side].map((span) => line(
      make("span", "label", [span.type, span.category].filter(Boolean).join(" · ")),
      make("mark", mark, make("bdi", "", span.text)),
      ...(span.score == null ? [] : [make("span", "soft num", span.score.toFixed(2))])));
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
    if (state.get("sort") === "article") state.delete("sort");
    try { history.replaceState(null, "", `#${state.size ? state : "errors"}`); } catch { /* some browsers keep local files from doing so */ }
  }

  function choose(values) {
    for (const name of FIELDS) if (form.elements[name]) form.elements[name].value = values[name] ?? "";
    for (const choice of form.querySelectorAll("select")) if (choice.selectedIndex < 0) choice.selectedIndex = 0;
    update();
  }

  function restore() {
    choose(Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
    if (location.hash.includes("=")) document.getElementById("errors").scrollIntoView();
  }

  form.addEventListener("input", () => { update(); store(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => { event.preventDefault(); choose({}); store(); });
  more.addEventListener("click", extend);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { article, clear } = button.dataset;
    if (article === undefined && clear === undefined) return;
    choose({ article });
    store();
    document.getElementById("errors").scrollIntoView();
    document.getElementById("errors-h").focus({ preventScroll: true });
  });
  addEventListener("hashchange", () => location.hash.includes("=") && restore());
  restore();
})();
