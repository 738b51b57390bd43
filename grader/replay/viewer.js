// Makes a viewer of a document in an element; gives what leads to a moment of one of its plays.
function mount(viewer, data, moved) {
  const plays = data.run.plays;

  // -- small things ----------------------------------------------------------------------------
  const two = value => String(value).padStart(2, "0");
  const clock = moment => {
    const whole = Math.round(moment), rest = whole % 1000, seconds = (whole - rest) / 1000;
    const told = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    return rest ? `${told}.${String(rest).padStart(3, "0")}` : told;
  };
  const long = span => {
    for (const [unit, size] of [["h", 3600000], ["min", 60000], ["s", 1000]])
      if (span >= size) return `${+(span / size).toPrecision(3)} ${unit}`;
    return `${Math.round(span)} ms`;
  };
  const counted = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;
  const numbers = spans => spans.flatMap(([low, high]) => Array.from({length: high - low + 1}, (_, at) => low + at));
  const listed = (names, most = 3) =>
    names.slice(0, most).join("; ") + (names.length > most ? `; and ${names.length - most} more` : "");
  const make = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };

  // What every record is, unless it is given up.
  const BEFORE = ["waiting", "work", "done"];
  const maps = (play, by) => play.mappings.some(one => one.name === by);
  // What is done by nobody's mapping was handed over by a person.
  const redrives = (play, fate) => fate.how === "done" && !maps(play, fate.by);

  // -- one play, prepared ----------------------------------------------------------------------
  const prepared = new Map();
  function prepare(number) {
    if (prepared.has(number)) return prepared.get(number);
    const play = plays[number], view = data.views[number];
    const name = id => play.records[id - 1].name;
    const batches = play.batches.map((batch, at) => ({
      ...batch, key: view.keys[at], ids: numbers(batch.records), until: batch.end ?? play.length,
    }));
    const readers = [...new Set(play.records.flatMap(one => one.fates.map(fate => fate.by)))];
    const made = {play, view, batches, readers, name, events: events(play, batches, name)};
    made.laneOf = batch => batch.shard === null ? `${batch.by}, environment ${batch.lane}`
      : `${batch.by}, ${play.shards[batch.shard - 1].name}, lane ${batch.lane}`;
    made.invocations = new Map(play.invocations.filter(one => one.batch).map(one => [one.batch, one]));
    prepared.set(number, made);
    return made;
  }
  function events(play, batches, name) {
    const found = [{at: 0, what: "The play begins."}];
    const add = (at, what, more = {}) => found.push({at, what, ...more});
    // In one millisecond what somebody did, and the state of a mapping, come before what follows from them.
    play.moments.forEach((one, at) => add(one.at, `${at + 1}: ${one.what}.`));
    for (const said of d3.group(play.states, one => `${one.at} ${one.by}`).values())
      add(said[0].at, `${said[0].by}: ${said.map(one => one.what).join("; ")}.`);
    for (const written of d3.group(play.records, one => `${one.written} ${one.shard}`).values())
      add(written[0].written, `${counted(written.length, "record")} written: ${listed(written.map(one => one.name))}.`,
        {kind: "written", ids: written.map(one => one.id)});
    for (const one of batches) {
      const called = one.attempt ? `${one.batch}, attempt ${one.attempt}` : one.batch;
      if (one.attempt)
        add(one.start, `${called} goes to the function: ${counted(one.ids.length, "record")} (${listed(one.ids.map(name))}).`,
          {kind: "start", batch: one.id, ids: one.ids});
      if (one.end !== null) {
        const rule = one.rule ? ` ${play.rules[one.rule - 1].rule}` : "";
        const next = one.next > one.end ? ` The next attempt comes after ${long(one.next - one.end)}.` : "";
        add(one.end, `${called}: ${data.attempts[one.key].name}.${rule}${next}`, {kind: "end", batch: one.id, ids: one.ids});
      }
    }
    const aside = play.records.flatMap(one => one.fates.map(fate => ({fate, one}))).filter(({fate}) => fate.batch === null && fate.at !== null);
    for (const ones of d3.group(aside, ({fate}) => `${fate.at} ${fate.by} ${fate.how} ${fate.why}`).values()) {
      const {fate} = ones[0], names = ones.map(({one}) => one.name), ids = ones.map(({one}) => one.id);
      add(fate.at, `${counted(ids.length, "record")} ${data.records[fate.how].name}${fate.why && `, ${fate.why}`}: ${listed(names)}.`,
        {kind: "aside", by: fate.by, ids});
    }
    for (const one of play.notes)
      add(one.at, `${one.condition}: ${listed(numbers(one.records).map(name))} given up; `
        + (one.arrived ? "a note arrived." : `no note arrived (${one.why}).`),
      {kind: "note", batch: one.batch, ids: numbers(one.records)});
    for (const alarm of play.alarms) {
      for (const [at, state, why] of alarm.states) add(at, `${alarm.name} is ${state}. ${why}`);
      for (const [at, state, protocol, endpoint] of alarm.told)
        add(at, `${alarm.name}: ${endpoint || protocol} is told of ${state} by ${protocol}.`);
    }
    add(play.length, "The play ends.");
    return found.map((one, order) => ({...one, order})).sort((a, b) => a.at - b.at || a.order - b.order);
  }

  // -- the page --------------------------------------------------------------------------------
  const state = {number: 0, step: 0, batch: null, query: "", reader: "", timer: 0};
  const choose = make("select");
  plays.forEach((play, at) => choose.append(make("option", {value: at}, play.title || `play ${at + 1}`)));
  const reader = make("select");
  const find = make("input", {type: "search", autocomplete: "off"});
  const buttons = {};
  const steps = make("div", {class: "steps", role: "group", "aria-label": "Steps"});
  for (const [key, sign, label] of [["first", "⇤", "To the start"], ["back", "←", "One event back"],
    ["run", "Play", "Play"], ["next", "→", "One event on"], ["last", "⇥", "To the end"]]) {
    buttons[key] = make("button", {type: "button", "aria-label": label, title: label}, sign);
    steps.append(buttons[key]);
  }
  const slider = make("input", {type: "range", min: 0, step: 1, "aria-label": "Event of the play"});
  const now = make("p", {class: "now", "aria-live": "polite"});
  const tray = make("div");
  const picture = make("div", {class: "picture", tabindex: 0, role: "group",
    "aria-label": "What happened over time. Arrow keys step, space plays."});
  const figures = make("ul", {class: "figures"});
  const tell = one => make("li", {}, `${one.name}: `, make("b", {}, one.value), one.limit && ` (${one.limit})`,
    one.met === null ? "" : one.met ? " ✓" : " ✕");
  const about = make("div", {class: "about"});
  const choosePlay = make("label", {}, "Play", choose), chooseReader = make("label", {}, "Reader", reader);
  const findIt = make("label", {}, "Find a record or batch", find);
  viewer.className = "viewer";
  if (data.name) viewer.append(make("h2", {}, data.name));
  viewer.append(
    make("div", {class: "controls"}, choosePlay, chooseReader, findIt, steps),
    figures, slider, now, tray, picture, ...legends(), about);
  choosePlay.hidden = plays.length < 2 || switched();
  document.documentElement.classList.add("scripted");
  // -- switches: the plays are their positions, the last switch changes first ---------------------
  function switched() {
    return data.switches.length > 0;
  }
  const turned = data.switches.map(() => 0);
  const panel = make("div", {class: "switches"});
  data.switches.forEach((one, place) => {
    const choose = make("fieldset", {}, make("legend", {}, one.name));
    one.labels.forEach((label, at) => {
      const radio = make("input", {type: "radio", name: `switch-${place}`, value: at});
      radio.addEventListener("change", () => {
        turned[place] = at;
        open(turned.reduce((number, chosen, which) => number * data.switches[which].labels.length + chosen, 0));
        go(Infinity);
      });
      choose.append(make("label", {}, radio, label));
    });
    panel.append(choose);
  });
  if (switched()) viewer.prepend(panel, figures);
  function turn(number) {
    for (let place = turned.length - 1, rest = number; place >= 0; place -= 1) {
      const many = data.switches[place].labels.length;
      turned[place] = rest % many;
      rest = Math.floor(rest / many);
      panel.querySelector(`input[name="switch-${place}"][value="${turned[place]}"]`).checked = true;
    }
  }
  // Every sign that some play has: turning a switch moves nothing.
  function legends() {
    const key = (kind, sign, said) => make("li", {}, make("span", {class: `key ${kind}`, "aria-hidden": "true"}, sign), ` ${said}`);
    const legend = (title, states, used, ...more) => make("ul", {class: "legend"}, make("li", {}, `${title}:`),
      ...Object.entries(states).filter(([name]) => used.has(name)).map(([, one]) => key(`tone-${one.tone}`, one.sign, one.name)), ...more);
    const again = (play, one, fate) => redrives(play, fate) && one.fates.some(other => other.how !== "done" && maps(play, other.by));
    const fates = plays.flatMap(play => play.records.flatMap(one => one.fates.map(fate => again(play, one, fate) ? "redriven" : fate.how)));
    const attempts = new Set(data.views.flatMap(view => view.keys)), alarms = plays.flatMap(play => play.alarms), found = [];
    if (fates.length) found.push(legend("Records", data.records, new Set([...BEFORE, ...fates])));
    if (attempts.size) found.push(legend("Attempts (choose one)", data.attempts, attempts, key("tone-quiet", "12", "so many records or attempts in one mark")));
    if (alarms.length) found.push(legend("Alarms", data.alarms, new Set(Object.keys(data.alarms)), key("told", "", "somebody is told")));
    if (data.views.some(view => view.pauses.length)) found.push(legend("Time", {}, new Set(), key("pause", "…", "a pause, folded")));
    return found;
  }

  // -- what is looked for ----------------------------------------------------------------------
  function matches(one) {
    const made = prepare(state.number), query = state.query;
    if (!query) return true;
    if (one.batch !== undefined && typeof one.batch === "number"
      && made.batches[one.batch - 1].batch.toLowerCase().includes(query)) return true;
    return (one.ids ?? []).some(id => named(made, id).includes(query));
  }
  const named = (made, id) => `${made.name(id)} ${made.play.records[id - 1].item}`.toLowerCase();
  const hit = (made, batch) => !state.query || batch.batch.toLowerCase().includes(state.query)
    || batch.ids.some(id => named(made, id).includes(state.query));

  // -- records at a moment ---------------------------------------------------------------------
  // Several things happen in one millisecond: what counts is which events have been stepped over.
  function recordState(made, id, step) {
    if (!(made.written.get(id) <= step)) return "";
    const [how, at] = made.fate.get(id) ?? ["", Infinity];
    if (!how) return "";
    if (at <= step) return how !== "done" && made.again.get(id) <= step ? "redriven" : how;
    return (made.work.get(id) ?? []).some(([from, to]) => from <= step && step < to) ? "work" : "waiting";
  }
  function index(made) {
    made.written = new Map();
    made.work = new Map();
    made.fate = new Map();
    made.again = new Map();
    const starts = new Map(), ends = new Map(), asides = new Map();
    made.events.forEach((event, at) => {
      if (event.kind === "written") for (const id of event.ids) made.written.set(id, at);
      if (event.kind === "start") starts.set(event.batch, at);
      if (event.kind === "end" || event.kind === "note") ends.set(event.batch, at);
      if (event.kind === "aside" && event.by === state.reader) for (const id of event.ids) asides.set(id, at);
    });
    for (const batch of made.batches) {
      if (batch.by !== state.reader || !starts.has(batch.id)) continue;
      const span = [starts.get(batch.id), ends.get(batch.id) ?? Infinity];
      for (const id of batch.ids) {
        if (!made.work.has(id)) made.work.set(id, []);
        made.work.get(id).push(span);
      }
    }
    for (const record of made.play.records) for (const fate of record.fates) {
      if (fate.by === state.reader) made.fate.set(record.id, [fate.how, fate.batch === null ? asides.get(record.id) ?? Infinity : ends.get(fate.batch)]);
      else if (maps(made.play, state.reader) && redrives(made.play, fate)) made.again.set(record.id, ends.get(fate.batch));
    }
  }

  // -- drawing ---------------------------------------------------------------------------------
  let drawn = null;
  const HIGH = 18, GAP = 8;
  function draw() {
    const made = prepare(state.number), {play, view} = made;
    const wide = Math.max(300, picture.clientWidth);
    const x = scale(view, wide);
    picture.replaceChildren();
    const svg = d3.select(picture).append("svg").attr("width", wide);
    drawn = {made, x, svg, wide, marks: [], records: []};
    axis(view);
    let y = momentRow(play, 36);
    const shards = new Set(play.records.map(one => one.shard));
    for (const shard of play.shards) {
      if (shards.has(shard.id)) y = recordRow(shard, y);
      for (const [lane, ones] of laneGroups(made, shard.id)) y = laneRow(lane, ones, y);
    }
    for (const [lane, ones] of laneGroups(made, null)) y = laneRow(lane, ones, y);
    for (const alarm of play.alarms) y = alarmRow(alarm, y);
    for (const chart of view.charts) y = chartRow(chart, y);
    svg.attr("height", y + 4).attr("viewBox", `0 0 ${wide} ${y + 4}`);
    drawn.cursor = svg.append("line").attr("class", "cursor").attr("y1", 16).attr("y2", y);
    svg.on("pointerdown", event => { drag(event); svg.node().setPointerCapture?.(event.pointerId); });
    svg.on("pointermove", event => { if (event.buttons) drag(event); });
  }
  // Where moments lie. A pause has room for a mark where it begins and for its band, the right end
  // for a last mark.
  const MARK = 22;
  const folded = view => new Set(view.pauses.map(one => one[0]));
  function scale(view, wide) {
    const pauses = folded(view), ends = [0];
    view.places.slice(1).forEach(([, place], at) => {
      const [from, before] = view.places[at], room = (place - before) / view.places.at(-1)[1] * wide;
      ends.push(ends[at] + (pauses.has(from) ? Math.max(room, 2 * MARK) : room));
    });
    return d3.scaleLinear().domain(view.places.map(one => one[0]))
      .range(ends.map(one => 2 + one / ends.at(-1) * (wide - MARK - 4))).clamp(true);
  }
  // Ticks are evenly apart; where a pause ends its moment is named if there is room.
  function axis(view) {
    const {svg, x, wide} = drawn, pauses = folded(view), taken = [], precise = x.domain().at(-1) < 100000;
    for (const [from, to] of view.pauses) {
      const left = Math.min(x(from) + MARK, x(to) - 3), told = long(to - from);
      svg.append("rect").attr("class", "pause").attr("x", left).attr("width", x(to) - left).attr("y", 0).attr("height", 100000);
      svg.append("text").attr("class", "soft").attr("x", (left + x(to)) / 2).attr("y", 28)
        .attr("text-anchor", "middle").text(x(to) - left > told.length * 7 ? told : "…");
    }
    const spans = view.places.slice(1).map(([to], at) => [view.places[at][0], to]).filter(([from]) => !pauses.has(from));
    const each = Math.max(...spans.map(([from, to]) => (x(to) - x(from)) / (to - from)));
    const step = data.steps.find(one => one * each >= (one % 1000 ? 116 : 76)) ?? data.steps.at(-1);
    const name = moment => {
      const told = clock(precise ? moment : Math.round(moment / 1000) * 1000), half = told.length * 3.4, at = Math.min(Math.max(x(moment), half), wide - half);
      svg.append("line").attr("class", "row").attr("x1", x(moment)).attr("x2", x(moment)).attr("y1", 15).attr("y2", 20);
      // In a pause of milliseconds two moments of one second would be named alike.
      if (taken.some(one => one.told === told || Math.abs(one.at - at) < one.half + half + 4)) return;
      taken.push({at, half, told});
      svg.append("text").attr("x", at).attr("y", 12).attr("text-anchor", "middle").text(told);
    };
    name(0);
    if (pauses.size && spans.length) name(spans.at(-1)[0]);
    for (const [from, to] of spans)
      for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) name(tick);
    for (const [from] of spans) name(from);
  }
  const label = (text, y, more = "") => drawn.svg.append("text").attr("x", 2).attr("y", y + 10)
    .text(shortened(text, more));
  function shortened(text, more = "", left = 0) {
    const room = Math.floor((drawn.wide - left) / 6.6);
    if (text.length + more.length <= room) return text + more;
    return text.length > room ? `${text.slice(0, room - 1)}…` : text;
  }
  function* laneGroups(made, shard) {
    const lanes = new Map();
    for (const batch of made.batches) if (batch.shard === shard) {
      const lane = made.laneOf(batch);
      if (!lanes.has(lane)) lanes.set(lane, []);
      lanes.get(lane).push(batch);
    }
    yield* [...lanes].sort((a, b) => a[0].localeCompare(b[0], "en", {numeric: true}));
  }
  // What lies closer together than its sign is wide is one mark, with the number of what is in it.
  function gathered(ones, from, to, least) {
    const groups = [];
    for (const one of [...ones].sort((a, b) => from(a) - from(b))) {
      const last = groups.at(-1);
      if (last && from(one) < last.right && from(one) - last.left < least) {
        last.ones.push(one);
        last.right = Math.max(last.right, to(one));
      } else groups.push({left: from(one), right: Math.max(to(one), from(one) + least), ones: [one]});
    }
    return groups;
  }
  // What a mark of several shows: the state whose tone comes last in the order.
  const gravest = (names, states, order) =>
    names.reduce((a, b) => order.indexOf(states[b].tone) > order.indexOf(states[a].tone) ? b : a);
  function recordRow(shard, y) {
    const {svg, x, made} = drawn, records = made.play.records.filter(one => one.shard === shard.id);
    const parent = shard.parent ? `, child of ${made.play.shards[shard.parent - 1].name}` : "";
    label(`${shard.stream}, ${shard.name}${parent}`, y, ` · ${counted(records.length, "record")}`);
    const line = svg.append("line").attr("class", "row").attr("y1", y + 14 + HIGH / 2).attr("y2", y + 14 + HIGH / 2);
    line.attr("x1", x(shard.opened)).attr("x2", x(shard.closed ?? made.play.length));
    for (const group of gathered(records, one => x(one.written), one => x(one.written) + MARK, MARK)) {
      const mark = svg.append("g").attr("class", "record");
      const {left} = group;
      mark.append("rect").attr("x", left).attr("y", y + 14).attr("width", MARK - 1).attr("height", HIGH).attr("rx", 9);
      mark.append("text").attr("class", "sign").attr("x", left + MARK / 2 - .5).attr("y", y + 14 + 13);
      mark.append("title");
      drawn.records.push({mark, ones: group.ones});
    }
    return y + 14 + HIGH + GAP;
  }
  function momentRow(play, y) {
    if (!play.moments.length) return y;
    const {svg, x} = drawn;
    label("What was done", y, ` · ${counted(play.moments.length, "moment")}, told at each step`);
    const wide = 6 + 7 * (play.moments.length > 9 ? 5 : 3);
    for (const group of gathered(play.moments, one => x(one.at), one => x(one.at) + wide, wide)) {
      const ends = new Set([group.ones[0], group.ones.at(-1)].map(one => play.moments.indexOf(one) + 1));
      const told = [...ends].join("–"), left = Math.min(group.left, drawn.wide - 4 - told.length * 7);
      const mark = svg.append("g").attr("class", "moment");
      mark.append("path").attr("class", "before").attr("d", `M${left} ${y + 13}v${HIGH}`);
      mark.append("text").attr("x", left + 3).attr("y", y + 27).text(told);
      mark.append("title").text(group.ones.map(one => `${clock(one.at)}: ${one.what}`).join("; "));
    }
    return y + 14 + HIGH + GAP;
  }
  function laneRow(lane, ones, y) {
    const {svg, x, made} = drawn;
    label(lane, y, ` · ${counted(ones.filter(one => one.attempt).length, "attempt")}`);
    for (const group of gathered(ones, one => x(one.start), one => x(one.until), MARK)) {
      const kinds = [...new Set(group.ones.map(one => one.key))];
      const key = gravest(kinds, data.attempts, ["quiet", "good", "warn", "bad"]);
      const one = data.attempts[key], room = group.right - group.left;
      const mark = svg.append("g").attr("class", "attempt"), {left} = group;
      mark.append("rect").attr("class", `tone-${one.tone}`).attr("x", left).attr("y", y + 14)
        .attr("width", room - 1).attr("height", HIGH).attr("rx", 2);
      const number = String(group.ones.length);
      const sign = group.ones.length > 1 && room >= number.length * 6 + 4 ? number : one.sign;
      mark.append("text").attr("class", "sign").attr("x", left + room / 2).attr("y", y + 14 + 13).text(sign);
      mark.append("title").text(kinds.map(kind =>
        `${group.ones.filter(each => each.key === kind).length} ${data.attempts[kind].name}`).join("; "));
      mark.on("pointerdown", event => event.stopPropagation());
      mark.on("click", event => { event.stopPropagation(); pick(group.ones); });
      drawn.marks.push({mark, ones: group.ones, hit: group.ones.some(each => hit(made, each))});
    }
    return y + 14 + HIGH + GAP;
  }
  function alarmRow(alarm, y) {
    const {svg, x, made} = drawn;
    label(`${alarm.name}`, y, " · alarm");
    const changes = [[0, "INSUFFICIENT_DATA"], ...alarm.states];
    changes.forEach(([at, name], place) => {
      const end = changes[place + 1]?.[0] ?? made.play.length, one = data.alarms[name], room = x(end) - x(at);
      if (end <= at) return;
      const mark = svg.append("g");
      mark.append("rect").attr("class", `tone-${one.tone}`).attr("x", x(at)).attr("y", y + 14)
        .attr("width", Math.max(2, room)).attr("height", HIGH);
      if (room > 14) mark.append("text").attr("class", "sign").attr("x", x(at) + room / 2).attr("y", y + 14 + 13)
        .text(room > one.name.length * 7 + 24 ? `${one.sign} ${one.name}` : one.sign);
      mark.append("title").text(`${alarm.name}: ${one.name} from ${clock(at)} to ${clock(end)}`);
    });
    for (const [at, name, protocol] of alarm.told)
      svg.append("path").attr("class", "before").attr("d", `M${x(at)} ${y + 11}v${HIGH + 6}`)
        .append("title").text(`${clock(at)}: ${protocol} is told of ${name}`);
    return y + 14 + HIGH + GAP;
  }
  function chartRow(chart, y) {
    const {svg, x, made} = drawn, metric = made.play.metrics[chart.metric], high = 46;
    const most = Math.max(...metric.minutes.map(one => one[chart.at]));
    const told = metric.unit === "Milliseconds" ? long(most) : (+most.toPrecision(4)).toLocaleString("en");
    const full = `${chart.title} · ${chart.unit.replace(", Milliseconds", "")}, up to ${told}`;
    label(shortened(full) === full ? full : `${metric.name} · ${chart.unit.split(" ")[0]} a minute, to ${told}`, y);
    // A threshold far above what was measured would flatten it: it is named and not drawn.
    const near = chart.limits.filter(one => one.value >= 0 && one.value <= 5 * most);
    const up = d3.scaleLinear().domain([0, Math.max(most, ...near.map(one => one.value), 1e-9)]).range([y + 16 + high, y + 16]);
    let path = "", end = null;
    for (const entry of metric.minutes) {
      const left = x(entry[0] * 60000), right = Math.max(x((entry[1] + 1) * 60000), left + 1);
      // Minutes that follow each other are one outline: hundreds of strokes would be all that is seen.
      if (end === null || left > end) path += `${path && `V${up(0)}`}M${left.toFixed(1)} ${up(0)}`;
      path += `V${up(entry[chart.at]).toFixed(1)}H${right.toFixed(1)}`;
      end = right;
    }
    svg.append("path").attr("class", "area").attr("d", `${path}V${up(0)}`);
    svg.append("line").attr("class", "row").attr("x1", 0).attr("x2", drawn.wide).attr("y1", up(0)).attr("y2", up(0));
    y += 16 + high + 4;
    chart.limits.forEach((one, number) => {
      const dash = ["7 4", "2 3", "9 3 2 3", "1 5"][number % 4], shown = near.includes(one);
      const across = shown ? `M0 ${up(one.value)}H${drawn.wide}` : "";
      svg.append("path").attr("class", "limit").attr("stroke-dasharray", dash).attr("d", `${across}M2 ${y + 8}h26`)
        .append("title").text(one.said);
      svg.append("text").attr("x", 34).attr("y", y + 12).text(shortened(shown ? one.said : `not drawn: ${one.said}`, "", 34));
      y += 16;
    });
    return y + GAP;
  }

  // -- the tray --------------------------------------------------------------------------------
  const STATES = Object.keys(data.records);
  let boxes = null;
  function layTray() {
    const made = prepare(state.number), records = made.play.records.filter(one => one.fates.some(fate => fate.by === state.reader));
    tray.replaceChildren();
    boxes = null;
    if (!records.length) return;
    const last = new Map(records.map(one => [one, recordState(made, one.id, Infinity)]));
    const ends = new Set([...BEFORE, ...last.values(), ...records.map(one => made.fate.get(one.id)[0])]);
    const used = STATES.filter(name => ends.has(name));
    const wide = Math.max(300, picture.clientWidth), box = wide / used.length, across = Math.floor((box - 8) / 16);
    const deep = 5, each = Math.max(1, Math.ceil(records.length / (across * deep)));
    // Records of one mark end alike, so that it can be where all of them are.
    const groups = [];
    for (const name of STATES) {
      const alike = records.filter(one => last.get(one) === name);
      for (let at = 0; at < alike.length; at += each) groups.push({ones: alike.slice(at, at + each)});
    }
    const rows = Math.min(deep, Math.ceil(groups.length / across)), high = 34 + rows * 18;
    const svg = d3.select(tray).append("svg").attr("width", wide).attr("height", high).attr("viewBox", `0 0 ${wide} ${high}`).attr("role", "img");
    const heads = new Map();
    used.forEach((name, at) => {
      svg.append("rect").attr("class", `tone-${data.records[name].tone}`).attr("x", at * box + 1).attr("y", 1)
        .attr("width", box - 3).attr("height", high - 2).attr("rx", 4).attr("fill-opacity", .35);
      heads.set(name, svg.append("text").attr("x", at * box + 6).attr("y", 16));
    });
    for (const group of groups) {
      group.mark = svg.append("g").attr("class", "place");
      group.mark.append("rect").attr("width", 14).attr("height", 16).attr("rx", 7);
      group.mark.append("text").attr("class", "sign").attr("x", 7).attr("y", 12);
      group.mark.append("title").text(listed(group.ones.map(one => one.name)));
    }
    const told = (name, number) => `${data.records[name].sign} ${data.records[name].name.replace("given up, ", "")}: ${number}`;
    const narrow = used.some(name => told(name, records.length).length * 6.6 + 10 > box);
    const head = narrow ? (name, number) => `${data.records[name].sign} ${number}` : told;
    boxes = {svg, heads, groups, used, box, across, each, records, head};
    if (each > 1) tray.append(make("p", {class: "each"}, `Each mark here stands for up to ${each} records.`));
  }
  function showTray(states) {
    if (!boxes) return;
    const counts = new Map(boxes.used.map(name => [name, 0]));
    for (const one of boxes.records) {
      const name = states.get(one.id);
      if (counts.has(name)) counts.set(name, counts.get(name) + 1);
    }
    for (const [name, head] of boxes.heads) head.text(boxes.head(name, counts.get(name)));
    const filled = new Map();
    for (const group of boxes.groups) {
      const inside = group.ones.map(one => states.get(one.id)), name = boxes.used.find(one => inside.includes(one));
      group.mark.classed("dim", !name || (state.query && !group.ones.some(one => named(drawn.made, one.id).includes(state.query))));
      const at = filled.get(name ?? "") ?? 0;
      filled.set(name ?? "", at + 1);
      const left = name ? boxes.used.indexOf(name) * boxes.box + 5 + at % boxes.across * 16 : 0;
      group.mark.attr("visibility", name ? "visible" : "hidden")
        .style("transform", `translate(${left}px, ${26 + Math.floor(at / boxes.across) * 18}px)`);
      if (!name) continue;
      group.mark.select("rect").attr("class", `tone-${data.records[name].tone}`);
      group.mark.select("text").text(group.ones.length > 1 && group.ones.length < 10 ? group.ones.length : data.records[name].sign);
    }
    const told = [...counts].filter(one => one[1]).map(([name, number]) => `${number} ${data.records[name].name}`);
    boxes.svg.attr("aria-label", `Records: ${told.join(", ") || "none is written yet"}`
      + (boxes.each > 1 ? `. Each mark stands for up to ${boxes.each} records.` : ""));
  }

  // -- a moment --------------------------------------------------------------------------------
  function show() {
    const {made, x} = drawn, event = made.events[state.step], at = event.at;
    if (typeof event.batch === "number") state.batch = event.batch;
    slider.value = state.step;
    slider.setAttribute("aria-valuetext", `${clock(at)}: ${event.what}`);
    say(event);
    drawn.cursor.attr("x1", x(at)).attr("x2", x(at));
    const states = new Map(made.play.records.map(one => [one.id, recordState(made, one.id, state.step)]));
    for (const {mark, ones} of drawn.records) {
      const inside = ones.map(one => states.get(one.id)), known = STATES.filter(one => inside.includes(one));
      const name = known.length ? gravest(known, data.records, ["good", "quiet", "warn", "bad"]) : null;
      const one = name ? data.records[name] : {tone: "quiet", sign: ""};
      mark.select("rect").attr("class", `tone-${one.tone}`).attr("fill-opacity", name ? 1 : .15);
      mark.select("text").text(ones.length > 1 && ones.length < 100 && name ? ones.length : one.sign);
      mark.select("title").text(`${counted(ones.length, "record")}: ${listed(ones.map(each => each.name))}. `
        + STATES.filter(each => inside.includes(each)).map(each => `${inside.filter(two => two === each).length} ${data.records[each].name}`).join(", "));
      mark.classed("dim", Boolean(state.query) && !ones.some(each => named(made, each.id).includes(state.query)));
    }
    for (const one of drawn.marks) {
      one.mark.classed("chosen", one.ones.some(each => each.id === state.batch));
      one.mark.classed("dim", !one.hit);
    }
    showTray(states);
    showBatch(made);
    buttons.first.disabled = buttons.back.disabled = state.step === 0;
    buttons.last.disabled = buttons.next.disabled = state.step === made.events.length - 1;
  }
  const CLOSED = {
    size: "The batch was full (BatchSize).",
    window: "The batching window was over.",
    bytes: "The batch had reached 6 MB.",
    available: "The batch took what was there.",
    "tumbling window": "The tumbling window was over.",
  };
  function say(event) {
    now.replaceChildren(make("b", {}, clock(event.at)), ` ${event.what}`);
  }
  // What is told of a step has the room of the longest, so that what stands below it stays there.
  function reserve(made) {
    const tallest = (box, ones, sizes, show) => {
      box.style.minHeight = "";
      const long = size => [...ones].sort((a, b) => size(b) - size(a)).slice(0, 2);
      const heights = [...new Set(sizes.flatMap(long))].map(one => { show(one); return Math.ceil(box.getBoundingClientRect().height); });
      box.style.minHeight = `${Math.max(0, ...heights)}px`;
    };
    const of = one => made.invocations.get(one.id), lines = one => Math.min(one.ids.length, 13);
    const answer = one => (one.answer ?? one.error ?? "").length, rule = one => one.rule ? made.play.rules[one.rule - 1].rule.length : 0;
    const calls = one => of(one)?.calls.length ?? 0, log = one => of(one)?.log.length ?? 0;
    const all = one => 30 * (lines(one) + calls(one) + log(one)) + answer(one) + rule(one);
    tallest(now, made.events, [one => one.what.length], say);
    tallest(about, made.batches, [lines, answer, rule, calls, log, all], one => showBatch(made, one));
  }
  function section(title, ...inside) {
    return make("section", {}, make("h3", {}, title), ...inside);
  }
  function showBatch(made, batch = made.batches[state.batch - 1]) {
    about.replaceChildren();
    if (!batch && made.batches.length)
      about.append(make("p", {}, "Choose an attempt: its records, its answer, its calls, and why Lambda then did what it did."));
    if (!batch) return;
    const {play} = made, one = data.attempts[batch.key], made_by = made.invocations.get(batch.id);
    const called = batch.attempt ? `${batch.batch}, attempt ${batch.attempt}` : batch.batch;
    const when = batch.end === null ? `since ${clock(batch.start)}` : `${clock(batch.start)} to ${clock(batch.end)} (${long(batch.end - batch.start)})`;
    const closed = CLOSED[batch.closed_by] ? ` ${CLOSED[batch.closed_by]}` : "";
    about.append(make("div", {class: "whole"}, make("h3", {}, called),
      make("p", {}, make("span", {class: `key tone-${one.tone}`, "aria-hidden": "true"}, one.sign), ` ${one.name}. ${made.laneOf(batch)}, ${when}.${closed}`)));
    const items = batch.ids.slice(0, 12).map(id => make("li", {}, made.name(id)));
    if (batch.ids.length > 12)
      items.push(make("li", {}, `and ${batch.ids.length - 12} more, to ${made.name(batch.ids.at(-1))}`));
    about.append(section(`Records (${batch.ids.length})`, make("ul", {}, ...items)));
    about.append(section(batch.error === null ? "What the handler returned" : "How the invocation ended",
      make("pre", {}, batch.answer ?? batch.error ?? (batch.outcome === "running" ? "It still runs." : "The function was not asked."))));
    if (batch.rule) about.append(why(play, batch));
    if (made_by) about.append(...inside(made_by));
  }
  function why(play, batch) {
    const rule = play.rules[batch.rule - 1], parts = [make("p", {}, rule.rule)], page = data.pages[batch.setting];
    const links = make("p", {});
    if (rule.source.startsWith("https://")) links.append(make("a", {href: rule.source, rel: "noreferrer"}, "Where AWS says so"));
    else links.append(`A documented choice: ${rule.source}`);
    if (page) {
      const [path, part] = page.split("#");
      links.append(data.course ? make("a", {href: `${data.course}${path}.html#${part}`}, "In the course") : make("code", {}, `labs docs ${page}`));
      links.insertBefore(document.createTextNode(" · "), links.lastChild);
    }
    parts.push(links);
    const setting = play.mappings.find(one => one.name === batch.by)?.settings.find(one => one.name === batch.setting);
    if (setting) parts.push(setting.line
      ? make("pre", {}, `template.yaml:${setting.line}  ${setting.text}`)
      : setting.text ? make("p", {}, setting.text)
      : make("p", {}, make("code", {}, setting.name), " is left out of the template: AWS's default holds."));
    return section("Why Lambda then did this", ...parts);
  }
  function inside(one) {
    const found = [], rows = one.calls.map(([at, service, operation, ended]) => make("tr", {},
      make("td", {}, clock(at)), make("td", {}, `${service} ${operation}`), make("td", {}, ended)));
    if (rows.length) {
      const head = make("tr", {}, ...["when", "call", "how it ended"].map(text => make("th", {scope: "col"}, text)));
      const more = one.calls_in_all > rows.length ? [make("p", {}, `${one.calls_in_all - rows.length} more calls are left out.`)] : [];
      found.push(section(`Calls (${one.calls_in_all})`, make("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": `Calls, ${[data.name, data.run.scenario].filter(Boolean).join(", ")}`},
        make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))), ...more));
    }
    if (one.ended_by) found.push(section("The environment", make("p", {}, `${one.ended_by}.`)));
    if (one.log.length) {
      const lines = one.log.map(([at, text]) => `${clock(at)}  ${text}`);
      if (one.lines_in_all > lines.length) lines.push(`and ${one.lines_in_all - lines.length} more lines`);
      const log = section(`Log (${one.lines_in_all})`, make("pre", {tabindex: 0, role: "region", "aria-label": "Log"}, lines.join("\n")));
      log.className = "whole";
      found.push(log);
    }
    return found;
  }

  // -- moving ----------------------------------------------------------------------------------
  function go(step, led = false) {
    const events = prepare(state.number).events;
    state.step = Math.min(Math.max(step, 0), events.length - 1);
    show();
    const end = state.step === events.length - 1 ? Infinity : events[state.step].at;
    if (!led) moved(state.number, state.step ? end : -Infinity);
  }
  const lastBy = moment => Math.max(0, d3.bisector(one => one.at).right(prepare(state.number).events, moment) - 1);
  function walk(way) {
    const events = prepare(state.number).events;
    let at = state.step + way;
    while (at > 0 && at < events.length - 1 && !matches(events[at])) at += way;
    go(at);
  }
  function pick(ones) {
    stop();
    const events = drawn.made.events, after = ones.find(one => one.id > (state.batch ?? 0)) ?? ones[0];
    const last = events.findLastIndex(one => one.batch === after.id);
    if (last >= 0) go(last);
  }
  function drag(event) {
    stop();
    go(lastBy(drawn.x.invert(d3.pointer(event)[0]) + .5));
  }
  function stop() {
    clearInterval(state.timer);
    state.timer = 0;
    sayRun("Play");
  }
  function sayRun(word) {
    buttons.run.textContent = word;
    buttons.run.setAttribute("aria-label", word);
    buttons.run.title = word;
  }
  function run() {
    if (state.timer) return stop();
    if (state.step === drawn.made.events.length - 1) go(0);
    sayRun("Pause");
    state.timer = setInterval(() => {
      walk(1);
      if (state.step === drawn.made.events.length - 1) stop();
    }, 600);
  }
  function open(number) {
    stop();
    const made = prepare(number);
    // Of a recording the first attempt is open: what is told of one is what it is about.
    Object.assign(state, {number, step: 0, batch: switched() && made.batches.length ? 1 : null});
    reader.replaceChildren(...made.readers.map(name => make("option", {value: name}, name)));
    chooseReader.hidden = made.readers.length < 2;
    state.reader = made.readers[0] ?? "";
    slider.max = made.events.length - 1;
    findIt.hidden = switched() || !made.batches.length;
    figures.replaceChildren(...made.play.figures.map(tell));
    figures.hidden = !made.play.figures.length;
    turn(number);
    again();
  }
  function again() {
    index(prepare(state.number));
    layTray();
    draw();
    reserve(drawn.made);
    show();
  }
  choose.addEventListener("change", () => { open(Number(choose.value)); go(0); });
  reader.addEventListener("change", () => { state.reader = reader.value; again(); });
  find.addEventListener("input", () => {
    state.query = find.value.trim().toLowerCase();
    for (const one of drawn.marks) one.hit = one.ones.some(each => hit(drawn.made, each));
    show();
  });
  slider.addEventListener("input", () => { stop(); go(Number(slider.value)); });
  buttons.first.addEventListener("click", () => { stop(); go(0); });
  buttons.back.addEventListener("click", () => { stop(); walk(-1); });
  buttons.run.addEventListener("click", run);
  buttons.next.addEventListener("click", () => { stop(); walk(1); });
  buttons.last.addEventListener("click", () => { stop(); go(Infinity); });
  picture.addEventListener("keydown", event => {
    const does = {ArrowLeft: () => walk(-1), ArrowRight: () => walk(1), Home: () => go(0), End: () => go(Infinity), " ": run}[event.key];
    if (!does) return;
    event.preventDefault();
    if (event.key !== " ") stop();
    does();
  });
  let width = 0;
  new ResizeObserver(() => {
    if (picture.clientWidth === width || !picture.clientWidth) return;
    width = picture.clientWidth;
    again();
  }).observe(picture);
  width = picture.clientWidth;
  open(data.first);
  // A recording opens with the whole of it.
  if (switched()) go(Infinity);
  viewer.dataset.ready = "yes";
  return (number, at, batch) => {
    if (number >= plays.length) return;
    if (number !== state.number) {
      choose.value = number;
      open(number);
    }
    const by = batch && prepare(number).batches[batch - 1].by;
    if (by && by !== state.reader && prepare(number).readers.includes(by)) {
      state.reader = reader.value = by;
      again();
    }
    const last = batch ? prepare(number).events.findLastIndex(one => one.batch === batch && one.at <= at) : -1;
    go(last < 0 ? lastBy(at) : last, true);
  };
}

// The data of a viewer out of its letters and digits; long lists become rows again.
async function unpack(text) {
  const packed = Uint8Array.from(atob(text), one => one.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = await new Response(stream).json();
  const values = column => {
    let sum = 0;
    return column.steps ? column.steps.map(step => sum += step) : column;
  };
  const rows = (columns, made) => {
    const known = columns.map(values);
    return known.length ? known[0].map((_, at) => made(known.map(column => column[at]))) : [];
  };
  for (const play of data.run.plays) {
    for (const [list, columns] of Object.entries(play)) {
      if (!columns || Array.isArray(columns) || typeof columns !== "object") continue;
      const names = Object.keys(columns);
      play[list] = rows(Object.values(columns), row => Object.fromEntries(row.map((value, at) => [names[at], value])));
    }
    for (const metric of play.metrics) metric.minutes = rows(metric.minutes, row => row);
  }
  return data;
}
