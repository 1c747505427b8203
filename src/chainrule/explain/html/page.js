"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const steps = all("article.step");
  const [nodes, edges, rows] = [new Map(), new Map(), new Map()];
  const add = (map, key, element) => { if (map.has(key)) map.get(key).push(element); else map.set(key, [element]); };
  const collect = (within) => {
    for (const node of all(".node", within)) add(nodes, node.dataset.node, node);
    for (const path of all(".edges path", within)) add(edges, path.dataset.edge.split("-")[1], path);
  };
  collect(document);
  for (const row of all(".source li")) add(rows, row.dataset.step, row);

  // ---- what belongs together is shown together
  let lit = [];
  let current = -1;
  const light = (element, kind) => { element.classList.add(kind); lit.push([element, kind]); };
  const show = (step) => {
    for (const [element, kind] of lit) element.classList.remove(kind);
    lit = [];
    const article = steps[step];
    if (!article) return;
    light(article, "on");
    for (const node of nodes.get(article.dataset.node) || []) light(node, "on");
    for (const path of edges.get(article.dataset.node) || []) light(path, "on");
    for (const key of article.dataset.read.split(" ")) for (const node of nodes.get(key) || []) light(node, "read");
    for (const row of rows.get(String(step)) || []) light(row, "on");
  };
  // Moves only what is within a panel of its own: the page stays where the reader has it.  What the reader did not
  // ask for leaves the panel under the pointer alone, or a click would land on something else.
  const reveal = (element, asked) => {
    const panel = element && element.closest(".scroll");
    if (!panel || (!asked && panel.matches(":hover"))) return;
    const [box, frame] = [element.getBoundingClientRect(), panel.getBoundingClientRect()];
    if (box.top < frame.top || box.bottom > frame.bottom) {
      panel.scrollTop += (box.top + box.bottom) / 2 - (frame.top + frame.bottom) / 2;
    }
    if (box.left < frame.left || box.right > frame.right) {
      panel.scrollLeft += (box.left + box.right) / 2 - (frame.left + frame.right) / 2;
    }
  };
  const select = (step, asked = true) => {
    current = step;
    show(step);
    document.getElementById("where").textContent = data.step.replace("{number}", step + 1);
    document.getElementById("previous").disabled = step <= 0;
    document.getElementById("next").disabled = step >= steps.length - 1;
    const article = steps[step];
    if (!article) return;
    reveal((nodes.get(article.dataset.node) || []).find((node) => !node.classList.contains("again")), asked);
    for (const row of rows.get(String(step)) || []) reveal(row, asked);
  };
  let walking = 0;
  const go = (step) => {
    if (step < 0 || step >= steps.length) return;
    walking = Date.now();
    select(step);
    const far = Math.abs(steps[step].getBoundingClientRect().top) > 3 * innerHeight;
    steps[step].scrollIntoView({ block: "start", behavior: far ? "instant" : "auto" });
    steps[step].focus({ preventScroll: true });
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#step-"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(Number(link.getAttribute("href").slice(6)) - 1);
  });
  const stepOf = (target) => {
    const held = target.closest("[data-step]");
    return held ? Number(held.dataset.step) : -1;
  };
  for (const area of all(".picture, .source, main")) {
    area.addEventListener("pointerover", (event) => { const step = stepOf(event.target); show(step < 0 ? current : step); });
    area.addEventListener("pointerleave", () => show(current));
  }
  document.addEventListener("focusin", (event) => {
    const step = stepOf(event.target);
    if (step < 0) return;
    if (event.target.closest("article")) select(step); else show(step);
  });
  document.getElementById("previous").addEventListener("click", () => go(current - 1));
  document.getElementById("next").addEventListener("click", () => go(current + 1));
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.key === "n" || event.key === "PageDown" && event.shiftKey) go(current + 1);
    else if (event.key === "p" || event.key === "PageUp" && event.shiftKey) go(current - 1);
  });
  // The step that is being read is the current one.
  if ("IntersectionObserver" in window) {
    const seen = new Set();
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries) entry.isIntersecting ? seen.add(entry.target) : seen.delete(entry.target);
      if (Date.now() - walking < 1200 || !seen.size) return;
      const first = Math.min(...[...seen].map((article) => Number(article.dataset.step)));
      if (first !== current) select(first, false);
    }, { rootMargin: "-15% 0px -60% 0px" });
    // A page of many steps has them in groups, and those of the groups in sight are watched.
    const groups = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        for (const article of target.children) {
          if (isIntersecting) observer.observe(article); else { observer.unobserve(article); seen.delete(article); }
        }
      }
    });
    for (const group of all(".some")) groups.observe(group);
  }

  // ---- how much, and light or dark
  for (const choice of all('input[name="depth"]')) {
    choice.addEventListener("change", () => {
      root.dataset.depth = choice.value;
      if (choice.value === "full") for (const details of all("details")) details.open = true;
    });
  }
  const theme = document.getElementById("theme");
  const prefers = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefers.matches);
  const label = () => { theme.textContent = isDark() ? data.light : data.dark; };
  let chosen = false;
  theme.addEventListener("click", () => { chosen = true; root.dataset.theme = isDark() ? "light" : "dark"; label(); });
  prefers.addEventListener("change", label);

  // ---- in the frame of a notebook: light or dark as that is, and no higher than what is shown
  let frame = null;
  try { frame = window.frameElement; } catch { /* a frame of another site's */ }
  const behind = () => {
    const paint = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    for (let element = frame; element; element = element.parentElement) {
      paint.clearRect(0, 0, 1, 1);
      paint.fillStyle = window.parent.getComputedStyle(element).backgroundColor;
      paint.fillRect(0, 0, 1, 1);
      const [red, green, blue, cover] = paint.getImageData(0, 0, 1, 1).data;
      if (cover > 127) return 0.3 * red + 0.6 * green + 0.1 * blue < 128 ? "dark" : "light";
    }
    return window.parent.getComputedStyle(window.parent.document.documentElement).colorScheme.includes("dark") ? "" : "light";
  };
  const blend = () => { if (!chosen) { root.dataset.theme = behind(); label(); } };
  const [main, side] = [document.querySelector("main"), document.querySelector(".side")];
  const fit = () => {
    const beside = getComputedStyle(side).position === "sticky";
    const height = main.offsetHeight + document.querySelector(".top").offsetHeight + 90;
    frame.style.height = `${beside ? Math.max(420, Math.min(760, height)) : 760}px`;
  };
  if (frame) {
    root.classList.add("framed");
    blend();
    fit();
    for (const element of [window.parent.document.documentElement, window.parent.document.body]) {
      new MutationObserver(blend).observe(element, { attributes: true });
    }
    for (const choice of all('input[name="depth"]')) choice.addEventListener("change", fit);
  }
  label();

  // ---- maps of numbers
  const shown = (x) => (typeof x === "string" ? x : Math.abs(x) >= 1e5 || (x && Math.abs(x) < 1e-3) ? x.toExponential(3) : String(Number(x.toPrecision(4)))).replace("-", "−");
  const place = (array, row, column) => {
    const lead = array.shape.slice(0, -1);
    const found = [];
    for (let rest = row * array.block[0], axis = lead.length - 1; axis >= 0; axis--) {
      found.unshift(rest % lead[axis]);
      rest = Math.floor(rest / lead[axis]);
    }
    return [...found, column * array.block[1]].join(",");
  };
  const enliven = (within) => {
    for (const map of all(".map", within)) {
      const array = data.arrays[map.dataset.array];
      const readout = map.nextElementSibling;
      const said = readout.textContent;
      const cursor = document.createElement("span");
      cursor.className = "cursor";
      let at = [0, 0];
      const point = (row, column) => {
        at = [Math.max(0, Math.min(array.rows.length - 1, row)), Math.max(0, Math.min(array.rows[0].length - 1, column))];
        const [height, width] = [100 / array.rows.length, 100 / array.rows[0].length];
        cursor.style.cssText = `left:${at[1] * width}%;top:${at[0] * height}%;width:${width}%;height:${height}%`;
        map.append(cursor);
        readout.textContent = `${map.dataset.name}[${place(array, at[0], at[1])}] = ${shown(array.rows[at[0]][at[1]])}`;
      };
      const leave = () => { cursor.remove(); readout.textContent = said; };
      map.addEventListener("pointermove", (event) => {
        const box = map.getBoundingClientRect();
        point(Math.floor((event.clientY - box.top) / box.height * array.rows.length), Math.floor((event.clientX - box.left) / box.width * array.rows[0].length));
      });
      map.addEventListener("pointerleave", leave);
      map.addEventListener("focus", () => point(...at));
      map.addEventListener("blur", leave);
      map.addEventListener("keydown", (event) => {
        const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
        const move = moves[event.key];
        if (!move) return;
        event.preventDefault();
        point(at[0] + move[0], at[1] + move[1]);
      });
    }
    for (const details of all("details.figures", within)) {
      details.addEventListener("toggle", () => {
        if (!details.open || details.children.length > 1) return;
        const array = data.arrays[details.dataset.array];
        const cell = (tag, text, scope) => { const c = document.createElement(tag); c.textContent = text; if (scope) c.scope = scope; return c; };
        const table = document.createElement("table");
        table.className = "heat";
        const lines = array.rows.map((row, r) => {
          const line = document.createElement("tr");
          if (array.shape.length > 1) line.append(cell("th", place(array, r, 0).split(",").slice(0, -1).join(","), "row"));
          line.append(...row.map((x) => cell("td", shown(x))));
          return line;
        });
        const heading = document.createElement("tr");
        if (array.shape.length > 1) heading.append(cell("td", ""));
        heading.append(...array.rows[0].map((_, c) => cell("th", c * array.block[1], "col")));
        table.append(document.createElement("tbody"));
        table.createTHead().append(heading);
        table.tBodies[0].append(...lines);
        const frame = document.createElement("div");
        frame.tabIndex = 0;
        frame.append(table);
        details.append(frame);
      });
    }
  };
  enliven(document);

  // ---- a long derivation: details unfold when a step is opened, and the picture goes on after the page is shown
  if (data.packed) {
    let packed = null;
    const unpacked = () => (packed = packed || (async () => {
      const bytes = Uint8Array.from(atob(data.packed), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      return JSON.parse(await new Response(stream).text());
    })());
    document.addEventListener("toggle", async (event) => {
      const details = event.target;
      if (!details.matches("details.body") || !details.open || details.children.length > 1) return;
      const { bodies } = await unpacked();
      const inside = document.createElement("div");
      inside.innerHTML = bodies[Number(details.closest("article").dataset.step)];
      details.append(inside);
      enliven(inside);
    }, true);
    const waiting = all("svg[data-piece]");
    const idle = window.requestIdleCallback || ((work) => setTimeout(work, 30));
    const draw = async () => {
      const { pieces } = await unpacked();
      const svg = waiting.shift();
      svg.innerHTML = pieces[Number(svg.dataset.piece)];
      collect(svg);
      if (waiting.length) idle(draw); else show(current);
    };
    if (waiting.length) window.addEventListener("load", () => idle(draw));
  }
  // On paper no step is the current one.
  window.addEventListener("afterprint", () => show(current));
  window.addEventListener("beforeprint", () => { show(-1); if (!data.packed) for (const details of all("details.body")) details.open = true; });
  select(0);
  const asked = /^#step-(\d+)$/.exec(location.hash);
  if (asked) go(Number(asked[1]) - 1);
})();
