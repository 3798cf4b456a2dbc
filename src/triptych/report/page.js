// What the page does beyond being read: charts that tell their values to pointer and keyboard, seeds
// and arms that can be shown and hidden, axes that can be switched, and a command that can be copied.
// Without this script everything stands there all the same, as pictures and tables.
"use strict";
(() => {
  const all = (where, what) => [...where.querySelectorAll(what)];

  const make = (name, className = "", text = "") => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text) made.textContent = text; // never as HTML: names come from data
    return made;
  };

  // The library stands in the page packed, and is run when the first chart comes near: the first
  // view does not wait for it.
  const unpacked = async () => {
    const letters = atob(document.getElementById("vega").textContent);
    const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  let library;
  const load = () => library ??= unpacked().then((text) => new Promise((resolve) => {
    addEventListener("vega-ready", () => resolve(window.vegaEmbed), { once: true });
    const script = document.createElement("script");
    script.textContent = text;
    document.head.append(script);
  }));

  const decimals = (value) => value.toFixed(3);
  const figure = (value) => {
    const size = Math.abs(value);
    if (size < 1e-12) return "0";
    if (size < 1e-4 || size >= 1e6) return value.toExponential(2);
    const places = Math.max(0, 2 - Math.floor(Math.log10(size)));
    return value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
  };
  const number = (value) =>
    typeof value === "number" ? value.toLocaleString("en", { maximumSignificantDigits: 6 }) : value;
  const SPLITS = { train: "training" };

  /** One chart: its spec, and what is read from it at each place along its axis. */
  class Plot {
    constructor(element, choice) {
      this.element = element;
      this.choice = choice;
      this.spec = JSON.parse(element.querySelector("script").textContent);
      this.hover = this.spec.usermeta.hover;
      this.other = this.spec.usermeta.other ?? {};
      this.name = element.querySelector("svg").getAttribute("aria-label");
      this.turn = 0;
    }

    get layers() {
      return this.spec.layer ?? [];
    }

    get colours() {
      const found = [this.spec, ...this.layers].map((one) => one.encoding?.color?.scale).find((one) => one?.domain);
      return new Map(found.domain.map((name, k) => [name, found.range[k]]));
    }

    get splits() {
      return new Set(this.spec.data.values.map((row) => row[this.hover.split]));
    }

    hasSeeds() {
      return this.layers.some((layer) => layer.name === "seeds");
    }

    isShown(row) {
      const { arms, splits } = this.choice;
      return !arms.has(row[this.hover.by]) && !splits.has(row[this.hover.split]);
    }

    /** The spec as the reader wants it. */
    chosen() {
      const spec = structuredClone(this.spec);
      spec.layer = spec.layer?.filter((layer) => layer.name !== "seeds" || this.choice.seeds);
      if (!spec.layer) delete spec.layer;
      for (const one of [spec, ...(spec.layer ?? [])]) {
        if (one.data) one.data.values = one.data.values.filter((row) => this.isShown(row));
        for (const axis of this.choice.switched) {
          const field = one.encoding?.[axis];
          if (field && this.other[axis]) Object.assign(field, this.other[axis].to);
        }
      }
      return spec;
    }

    async draw() {
      const turn = ++this.turn;
      const embed = await load();
      const box = make("div");
      const options = {
        mode: "vega-lite", renderer: "svg", ast: true,
        actions: false, tooltip: false, hover: false, defaultStyle: false,
      };
      const { view } = await embed(box, this.chosen(), options);
      const svg = box.querySelector("svg");
      if (turn !== this.turn) { // another choice was made meanwhile
        view.finalize();
        return;
      }
      this.width = view.width();
      this.height = view.height();
      const { left, top } = view.padding();
      const [x, y] = view.origin();
      this.left = left + x;
      this.top = top + y;
      this.scale = view.scale(this.hover.axis);
      this.upright = view.scale("y");
      this.box = [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))];
      view.finalize();
      // As wide as it is given room for, as the picture is that it replaces.
      svg.setAttribute("viewBox", `0 0 ${this.box[0]} ${this.box[1]}`);
      svg.removeAttribute("width");
      svg.removeAttribute("height");
      svg.setAttribute("aria-hidden", "true");
      svg.setAttribute("class", "drawn");
      this.element.querySelector(".drawn")?.remove();
      this.element.prepend(svg);
      this.gather();
      this.answer();
    }

    /** Collects what is to be read at each place, in the order of the axis. */
    gather() {
      const { at, by, split, value, low, high } = this.hover;
      const places = new Map();
      const everywhere = [];
      for (const row of this.spec.data.values.filter((one) => this.isShown(one))) {
        const list = (field) => Array.isArray(row[at]) ? row[field] : [row[field]];
        list(at).forEach((place, k) => {
          const read = {
            name: row[by], column: row[split] ?? "",
            value: list(value)[k], low: list(low)?.[k], high: list(high)?.[k],
          };
          if (row.level) { // the same from end to end
            if (k === 0) everywhere.push(read);
          } else {
            places.set(place, [...(places.get(place) ?? []), read]);
          }
        });
      }
      this.places = [...places.keys()];
      if (typeof this.places[0] === "number") this.places.sort((a, b) => a - b);
      this.read = (place) => [...places.get(place), ...everywhere];
      this.shown = undefined;
      this.hide();
    }

    /** Where a place lies along its axis, in the units of the drawing. */
    along(place) {
      const half = this.scale.bandwidth ? this.scale.bandwidth() / 2 : 0;
      return this.scale(place) + half;
    }

    /** Lets pointer and keyboard ask; once. */
    answer() {
      const { element } = this;
      if (element.tabIndex < 0) {
        element.tabIndex = 0;
        element.setAttribute("role", "slider");
        element.setAttribute("aria-label", `${this.name}. Arrow keys read the values.`);
        element.setAttribute("aria-orientation", this.hover.axis === "x" ? "horizontal" : "vertical");
        element.addEventListener("pointermove", (event) => this.point(event));
        element.addEventListener("pointerdown", (event) => this.point(event));
        element.addEventListener("pointerleave", () => this.hide());
        element.addEventListener("focus", () => {
          if (element.matches(":focus-visible")) this.show(this.shown ?? this.places.length - 1);
        });
        element.addEventListener("blur", () => this.hide());
        element.addEventListener("keydown", (event) => this.press(event));
      }
      element.setAttribute("aria-valuemin", "0");
      element.setAttribute("aria-valuemax", String(Math.max(0, this.places.length - 1)));
      this.describe(Math.max(0, this.places.length - 1));
    }

    point(event) {
      const edges = this.element.querySelector(".drawn").getBoundingClientRect();
      const asked = this.hover.axis === "x"
        ? ((event.clientX - edges.left) / edges.width) * this.box[0] - this.left
        : ((event.clientY - edges.top) / edges.height) * this.box[1] - this.top;
      let best = 0;
      this.places.forEach((place, k) => {
        if (Math.abs(this.along(place) - asked) < Math.abs(this.along(this.places[best]) - asked)) best = k;
      });
      this.show(best);
    }

    press(event) {
      const last = this.places.length - 1;
      const now = this.shown ?? last;
      const page = Math.max(1, Math.round(last / 10));
      const down = this.hover.axis === "y" ? 1 : -1; // columns stand from top to bottom
      const to = {
        ArrowRight: now + 1, ArrowLeft: now - 1, ArrowUp: now - down, ArrowDown: now + down,
        PageUp: now + page, PageDown: now - page, Home: 0, End: last,
      }[event.key];
      if (event.key === "Escape") this.hide();
      if (to === undefined) return;
      event.preventDefault();
      this.show(Math.min(last, Math.max(0, to)));
    }

    text(one) {
      const show = this.hover.show === "decimals" ? decimals : figure;
      const range = one.low !== undefined && one.low !== one.high ? `${show(one.low)}–${show(one.high)}` : "";
      return [show(one.value), range];
    }

    title(place) {
      return `${this.hover.says} ${number(place)}`.trim();
    }

    /** Tells a screen reader what stands at a place. */
    describe(k) {
      const { element, places } = this;
      element.setAttribute("aria-valuenow", String(k));
      const told = places.length ? this.read(places[k]).map((one) => {
        const [value, range] = this.text(one);
        return [one.name, SPLITS[one.column] ?? one.column, value, range && `from ${range}`].filter(Boolean).join(" ");
      }) : ["all are hidden"];
      element.setAttribute("aria-valuetext", `${places.length ? this.title(places[k]) : ""}: ${told.join("; ")}`);
    }

    hide() {
      this.tip?.remove();
      this.pointed?.remove();
      this.tip = this.pointed = undefined;
    }

    show(k) {
      if (!this.places.length) return;
      if (this.tip && this.shown === k) return;
      this.hide();
      this.shown = k;
      this.describe(k);
      const place = this.places[k];
      const found = this.read(place);
      this.pointed = this.mark(place, found);
      this.tip = this.tell(place, found);
      this.element.append(this.pointed, this.tip);
    }

    /** A line at the place, and a dot on each series. */
    mark(place, found) {
      const pointed = make("div", "pointed");
      const share = (value, of) => `${(100 * value) / of}%`;
      const [width, height] = this.box;
      const line = make("div", `at ${this.hover.axis}`);
      if (this.hover.axis === "x") {
        Object.assign(line.style, {
          left: share(this.left + this.along(place), width),
          top: share(this.top, height), height: share(this.height, height),
        });
      } else {
        Object.assign(line.style, {
          top: share(this.top + this.along(place), height),
          left: share(this.left, width), width: share(this.width, width),
        });
      }
      pointed.append(line);
      for (const one of this.hover.axis === "x" ? found : []) {
        const dot = make("div", "dot");
        dot.style.left = line.style.left;
        dot.style.top = share(this.top + this.upright(one.value), height);
        dot.style.background = this.colours.get(one.name);
        pointed.append(dot);
      }
      return pointed;
    }

    /** A small table: a row for each series, a column for each split. */
    tell(place, found) {
      const along = this.hover.axis === "x" ? (this.left + this.along(place)) / this.box[0] : 0;
      const tip = make("div", `tip ${along > 0.5 ? "before" : "after"}`);
      tip.setAttribute("aria-hidden", "true"); // it is told as the slider's value
      tip.style.setProperty("--along", along);
      const table = make("table");
      const columns = [...new Set(found.map((one) => one.column))];
      const head = make("tr");
      head.append(make("th", "text", this.title(place)));
      for (const column of columns) head.append(make("th", "", SPLITS[column] ?? column));
      table.append(head);
      for (const name of new Set(found.map((one) => one.name))) {
        const row = make("tr");
        const label = make("th", "text");
        const swatch = make("span", "swatch");
        swatch.style.background = this.colours.get(name);
        label.append(swatch, name);
        row.append(label);
        for (const column of columns) {
          const one = found.find((each) => each.name === name && each.column === column);
          const cell = make("td");
          if (one) {
            const [value, range] = this.text(one);
            cell.append(value);
            if (range) cell.append(make("span", "range", range));
          }
          row.append(cell);
        }
        table.append(row);
      }
      tip.append(table);
      return tip;
    }
  }

  /** The charts of one figure, which show and hide the same, and the buttons that say what. */
  class Choice {
    constructor(element) {
      this.arms = new Set();
      this.splits = new Set();
      this.switched = new Set();
      this.seeds = false;
      this.plots = all(element, ".plot").map((one) => new Plot(one, this));
      this.nameKeys(element);
      this.addTools(element);
    }

    redraw() {
      for (const plot of this.plots) plot.draw();
    }

    button(text, pressed, onPress) {
      const button = make("button", "", text);
      button.type = "button";
      button.setAttribute("aria-pressed", String(pressed));
      button.addEventListener("click", () => {
        const now = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(now));
        onPress(now);
        this.redraw();
      });
      return button;
    }

    /** Makes a button of each name in the legend that some chart knows. */
    nameKeys(element) {
      for (const key of all(element, ".key")) {
        const { arm, split } = key.dataset;
        const [set, name] = split === undefined ? [this.arms, arm] : [this.splits, split];
        const known = this.plots.some((plot) =>
          split === undefined ? plot.colours.has(arm) : plot.splits.has(split));
        if (name === undefined || !known) continue;
        const button = this.button("", true, (shown) => (shown ? set.delete(name) : set.add(name)));
        button.className = "key";
        button.title = "hide or show";
        button.append(...key.childNodes);
        key.replaceWith(button);
      }
    }

    addTools(element) {
      const tools = [];
      if (this.plots.some((plot) => plot.hasSeeds())) {
        tools.push(this.button("single seeds", false, (on) => { this.seeds = on; }));
      }
      for (const axis of ["y", "x"]) {
        const other = this.plots.map((plot) => plot.other[axis]).find(Boolean);
        if (!other) continue;
        tools.push(this.button(other.says, other.on, (on) =>
          (on === other.on ? this.switched.delete(axis) : this.switched.add(axis))));
      }
      if (!tools.length) return;
      const group = make("div", "tools");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", "How the curves are shown");
      group.append(...tools);
      (element.querySelector(".legend") ?? element.querySelector("h3, h4")).after(group);
    }
  }

  /** A command that can be copied, where the browser lets a page do so. */
  const addCopy = (block) => {
    const button = make("button", "copy", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", `Copy: ${block.dataset.copy}`);
    const said = make("span", "said");
    said.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      const text = block.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
        said.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(block.querySelector("code"));
        said.textContent = "selected: copy it with the keyboard";
      }
    });
    block.append(button, said);
  };

  for (const block of all(document, "[data-copy]")) addCopy(block);

  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      plots.get(target).draw();
    }
  }, { rootMargin: "400px" });
  const plots = new Map();
  for (const element of all(document, "figure")) {
    if (!element.querySelector(".plot")) continue;
    for (const plot of new Choice(element).plots) plots.set(plot.element, plot);
  }
  // Not before the page has been painted.
  addEventListener("load", () => setTimeout(() => plots.forEach((_, element) => near.observe(element)), 50));
})();
