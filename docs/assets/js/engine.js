// The simulation of grader/review/tuning, in the browser: the same figures from the same settings.
//
// One pure function, `streamlabs.simulate(load, handler, choice)`. It follows engine.py, cycles.py,
// load.py, parts.py and outcome.py method by method; the rules and their sources stand there. Left
// out are shards that split, random arrivals and provisioned concurrency. Python's whole numbers have
// no limit and these end at 2**53, so products that may exceed it go through `mulDiv`.
// tests/site/test_simulator_parity.py compares both on several hundred settings.
"use strict";

globalThis.streamlabs = globalThis.streamlabs || {};

(() => {
  const VCPU_MB = 1769;
  const POLL_MS = 250;
  const MINUTE_MS = 60_000;
  const RETENTION_MS = 86_400_000;
  const PAGE_RECORDS = 1_000;
  const PAGE_BYTES = 1_048_576;
  const PAYLOAD_BYTES = 6 * 1024 * 1024;
  const ENVIRONMENT_IDLE_MS = 600_000;
  const BLOCK_PER_LANE = 2_000;
  const LONGEST_BLOCK = 120_000;
  const FIRST_RETRY_MS = 250;
  const LONGEST_RETRY_MS = 60_000;
  const PHASE_STRIDES_MS = [153, 97, 157, 93];
  const ACCOUNT_LIMIT = 1_000;
  // More steps than this take a browser some seconds: refused rather than a page that hangs.
  const MOST_STEPS = 800_000;
  const END = 0;
  const POLL = 1;
  const TIMER = 2;
  const ORDERS = [0, 10, 20];
  const TOTALS = [
    "invocations", "errors", "timeouts", "retries", "throttles", "coldStarts", "billedMs",
    "fullBatches", "handed", "processed", "discarded", "lost",
  ];

  // -- whole numbers ----------------------------------------------------------------------

  const floorDiv = (a, b) => Math.floor(a / b);
  const ceilDiv = (a, b) => Math.ceil(a / b);
  const floorMod = (a, b) => ((a % b) + b) % b;
  const gcd = (a, b) => (b ? gcd(b, a % b) : a);

  // floor(a * b / c), exact.
  function mulDiv(a, b, c) {
    const product = a * b;
    if (product <= Number.MAX_SAFE_INTEGER) return (product - (product % c)) / c;
    return Number((BigInt(a) * BigInt(b)) / BigInt(c));
  }

  function mulMod(a, b, c) {
    const product = a * b;
    if (product <= Number.MAX_SAFE_INTEGER) return product % c;
    return Number((BigInt(a) * BigInt(b)) % BigInt(c));
  }

  // Rounded as Python rounds: a half goes to the even neighbour.
  function round(x) {
    const low = Math.floor(x);
    if (x - low !== 0.5) return Math.round(x);
    return low % 2 ? low + 1 : low;
  }

  // Where `value` belongs in sorted `list`: before its equals, or behind them.
  function bisectLeft(list, value) {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function bisectRight(list, value) {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value < list[middle]) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  const retryDelay = (failures) =>
    Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20), LONGEST_RETRY_MS);

  const pollPhase = (shard, seed) => (shard * PHASE_STRIDES_MS[seed % PHASE_STRIDES_MS.length]) % POLL_MS;

  function throttlePause(delay, phase, lane, throttles) {
    const [along, onward] = PHASE_STRIDES_MS;
    const share = (phase + along * lane + onward * (throttles - 1)) % POLL_MS;
    return delay - floorDiv(delay * share, 2 * POLL_MS);
  }

  // -- load.py ----------------------------------------------------------------------------

  class Draws {
    static MODULUS = 2_147_483_647;

    constructor(seed, stream = 0) {
      this.state = (seed % (Draws.MODULUS - 1)) + 1;
      for (let n = 0; n < 8; n += 1) this.next();
      this.state = ((this.state + stream) % (Draws.MODULUS - 1)) + 1;
      for (let n = 0; n < 8; n += 1) this.next();
    }

    next() {
      this.state = (this.state * 48_271) % Draws.MODULUS;
      return this.state;
    }

    chance(probability) {
      return this.next() < probability * Draws.MODULUS;
    }
  }

  // The stretches {seconds, writes}, cut in two wherever one of `marks` (seconds) lies inside one.
  function cut(stretches, marks) {
    const found = [];
    let at = 0;
    for (const stretch of stretches) {
      const inside = [...new Set(marks.filter((s) => at < s && s < at + stretch.seconds))];
      const ends = [...inside.map((s) => s - at).sort((a, b) => a - b), stretch.seconds];
      let before = 0;
      for (const end of ends) {
        const writes = mulDiv(end, stretch.writes, stretch.seconds)
          - mulDiv(before, stretch.writes, stretch.seconds);
        found.push({ seconds: end - before, writes });
        before = end;
      }
      at += stretch.seconds;
    }
    return found;
  }

  const seconds = (load) => load.stretches.reduce((sum, one) => sum + one.seconds, 0);
  const writes = (load) => load.stretches.reduce((sum, one) => sum + one.writes, 0);

  // The same rate all the time (writes a second) for `duration` seconds.
  function steady(rate, duration, shards = 1) {
    return {
      stretches: [{ seconds: duration, writes: round(rate * duration) }],
      shards,
      recordBytes: 300,
      eventBytes: 900,
    };
  }

  // The same load with `rate` more writes a second for `duration` seconds from `start`.
  function burst(load, start, duration, rate) {
    const stretches = [];
    let at = 0;
    for (const one of cut(load.stretches, [start, start + duration])) {
      const inside = start <= at && at < start + duration;
      const extra = inside ? round(rate * one.seconds) : 0;
      stretches.push({ seconds: one.seconds, writes: one.writes + extra });
      at += one.seconds;
    }
    return { ...load, stretches };
  }

  // For each shard its pieces [start ms, length ms, writes].
  function plan(load) {
    const pieces = Array.from({ length: load.shards }, () => []);
    let at = 0;
    for (const stretch of load.stretches) {
      for (let n = 0; n < load.shards; n += 1) {
        const share = mulDiv(n + 1, stretch.writes, load.shards) - mulDiv(n, stretch.writes, load.shards);
        if (share) pieces[n].push([at * 1000, stretch.seconds * 1000, share]);
      }
      at += stretch.seconds;
    }
    return pieces.map((own, number) => ({ number, pieces: own }));
  }

  class Timeline {
    constructor(pieces) {
      this.starts = pieces.map((piece) => piece[0]);
      this.lengths = pieces.map((piece) => piece[1]);
      this.writes = pieces.map((piece) => piece[2]);
      // In lowest terms, so that products stay small.
      const common = pieces.map((piece) => gcd(piece[1], piece[2]));
      this.spans = this.lengths.map((length, n) => length / common[n]);
      this.parts = this.writes.map((count, n) => count / common[n]);
      this.before = [0];
      for (const count of this.writes) this.before.push(this.before[this.before.length - 1] + count);
      this.total = this.before.pop();
      this.counting = 0;
      this.timing = 0;
    }

    count(time) {
      const { starts } = this;
      let at = this.counting;
      if (!starts.length || time < starts[0]) return 0;
      if (starts[at] > time || (at + 1 < starts.length && starts[at + 1] <= time)) {
        at = this.counting = bisectRight(starts, time) - 1;
      }
      const elapsed = time - starts[at] + 1;
      // Rounded up: n * span / part <= t  is  n < (t + 1) * part / span.
      const whole = mulDiv(elapsed, this.parts[at], this.spans[at]);
      const found = whole + (mulMod(elapsed, this.parts[at], this.spans[at]) ? 1 : 0);
      return this.before[at] + Math.min(found, this.writes[at]);
    }

    time(number) {
      let at = this.timing;
      if (!(this.before[at] <= number && number < this.before[at] + this.writes[at])) {
        at = this.timing = bisectRight(this.before, number) - 1;
      }
      return this.starts[at] + mulDiv(number - this.before[at], this.spans[at], this.parts[at]);
    }

    pieceAt(time) {
      return bisectRight(this.starts, time) - 1;
    }

    pieceOf(number) {
      return bisectRight(this.before, number) - 1;
    }
  }

  function durationMs(handler, records, memoryMb) {
    const share = Math.min(memoryMb, VCPU_MB);
    const work = round(handler.callMs * 1000) + records * round(handler.recordMs * 1000);
    const wait = round(handler.callWaitMs * 1000) + records * round(handler.recordWaitMs * 1000);
    return Math.max(1, ceilDiv(work * VCPU_MB + wait * share, 1000 * share));
  }

  // -- parts.py ---------------------------------------------------------------------------

  class Spread {
    constructor(lanes, block) {
      this.lanes = lanes;
      this.block = lanes > 1 ? block : 1;
      const order = Array.from({ length: this.block }, (_, n) => n % lanes);
      const draws = new Draws(lanes);
      for (let n = this.block - 1; n > 0; n -= 1) {
        const other = draws.next() % (n + 1);
        [order[n], order[other]] = [order[other], order[n]];
      }
      this.places = Array.from({ length: lanes }, () => []);
      order.forEach((lane, place) => this.places[lane].push(place));
    }

    static over(pieces, lanes) {
      const least = lanes * BLOCK_PER_LANE;
      let longest = [0, 1, 0];
      pieces.forEach((piece, n) => {
        if (n === 0 || piece[1] > longest[1]) longest = piece;
      });
      const minute = mulDiv(longest[2], MINUTE_MS, longest[1]);
      const rest = mulMod(longest[2], MINUTE_MS, longest[1]);
      if (rest || minute <= 0 || minute > LONGEST_BLOCK) return new Spread(lanes, least);
      return new Spread(lanes, ceilDiv(least, minute) * minute);
    }

    count(lane, records) {
      if (this.lanes === 1) return records;
      const places = this.places[lane];
      return floorDiv(records, this.block) * places.length + bisectLeft(places, records % this.block);
    }

    record(lane, number) {
      if (this.lanes === 1) return number;
      const places = this.places[lane];
      return floorDiv(number, places.length) * this.block + places[number % places.length];
    }
  }

  const newLane = (number) => ({
    number, ready: 0, taken: 0, first: 0, size: 0, busy: false, fails: false,
    attempts: 0, throttles: 0, freeSince: 0, deadline: -1, timer: 0,
  });

  class Shard {
    constructor(own, lanes, minutes, seed) {
      this.phase = pollPhase(own.number, seed);
      this.timeline = new Timeline(own.pieces);
      this.spread = Spread.over(own.pieces, lanes);
      this.lanes = Array.from({ length: lanes }, (_, number) => newLane(number));
      this.read = 0;
      this.behind = false;
      this.tick = false;
      this.ages = new Array(minutes).fill(-1);
      this.delays = new Array(minutes).fill(-1);
      this.lowest = new Array(minutes).fill(-1);
    }

    // Polls fall on a grid that begins at the shard's own phase.
    grid(time) {
      return time + floorMod(this.phase - time, POLL_MS);
    }
  }

  // Events [time, order, asked for at, number, kind, shard, lane], the earliest first.
  class Heap {
    constructor() {
      this.list = [];
    }

    static before(a, b) {
      for (let n = 0; n < 4; n += 1) if (a[n] !== b[n]) return a[n] < b[n];
      return false;
    }

    push(event) {
      const { list } = this;
      let at = list.push(event) - 1;
      while (at > 0) {
        const up = (at - 1) >> 1;
        if (!Heap.before(event, list[up])) break;
        list[at] = list[up];
        at = up;
      }
      list[at] = event;
    }

    pop() {
      const { list } = this;
      const top = list[0];
      const last = list.pop();
      if (list.length) {
        let at = 0;
        for (;;) {
          let down = 2 * at + 1;
          if (down >= list.length) break;
          if (down + 1 < list.length && Heap.before(list[down + 1], list[down])) down += 1;
          if (!Heap.before(list[down], last)) break;
          list[at] = list[down];
          at = down;
        }
        list[at] = last;
      }
      return top;
    }

    sorted() {
      return [...this.list].sort((a, b) => (Heap.before(a, b) ? -1 : 1));
    }
  }

  // -- engine.py --------------------------------------------------------------------------

  class Engine {
    constructor(load, handler, choice, plans, { limit, endMs, seed, stream }) {
      this.handler = handler;
      this.choice = choice;
      this.limit = limit;
      this.endMs = endMs;
      this.size = choice.batchSize;
      this.windowMs = choice.windowS * 1000;
      this.timeoutMs = choice.timeoutS * 1000;
      this.page = Math.max(1, Math.min(PAGE_RECORDS, floorDiv(PAGE_BYTES, load.recordBytes)));
      this.fits = Math.max(1, floorDiv(PAYLOAD_BYTES - '{"Records":[]}'.length, load.eventBytes + 1));
      this.maxAgeMs = choice.maxAgeS >= 0 ? choice.maxAgeS * 1000 : RETENTION_MS;
      this.keepMs = Math.min(this.maxAgeMs, RETENTION_MS);
      this.minutes = Math.max(1, ceilDiv(endMs, MINUTE_MS));
      const lanes = choice.parallelization;
      this.shards = plans.map((own) => new Shard(own, lanes, this.minutes, seed));
      this.alone = lanes === 1 && plans.length <= limit;
      this.simple = this.alone && plans.length === 1 && !this.windowMs;

      this.totals = Object.fromEntries(TOTALS.map((name) => [name, 0]));
      this.invocations = new Array(this.minutes).fill(0);
      this.throttles = new Array(this.minutes).fill(0);
      this.errors = new Array(this.minutes).fill(0);
      this.billed = new Array(this.minutes).fill(0);
      this.settled = new Array(this.minutes).fill(0);
      this.running = 0;
      this.peak = 0;
      this.environments = 0;
      this.lastEndMs = 0;
      this.draws = new Draws(seed, stream + 1);
      this.nextFailure = -1;
      this.findNextFailure();
      this.durations = new Map();
      this.heap = new Heap();
      this.number = 0;
      this.steps = 0;
    }

    duration(records) {
      let found = this.durations.get(records);
      if (found === undefined) {
        found = durationMs(this.handler, records, this.choice.memoryMb);
        this.durations.set(records, found);
      }
      return found;
    }

    run() {
      this.shards.forEach((shard, at) => {
        shard.tick = true;
        this.add(shard.grid(0), POLL, at, 0, 0);
      });
      const cycles = new Cycles(this);
      let check = MINUTE_MS;
      while (this.heap.list.length && this.heap.list[0][0] <= this.endMs) {
        if (this.heap.list[0][0] >= check) {
          const now = this.heap.list[0][0] - (this.heap.list[0][0] % MINUTE_MS);
          check = now + MINUTE_MS;
          const skipped = now < this.endMs ? cycles.skip(now) : 0;
          if (skipped) {
            check += skipped;
            continue;
          }
        }
        const [time, , , number, kind, at, lane] = this.heap.pop();
        if (kind === POLL) {
          this.poll(at, time);
        } else if (kind === END) {
          this.ended(at, this.shards[at].lanes[lane], time);
        } else if (this.shards[at].lanes[lane].timer === number) {
          this.shards[at].lanes[lane].timer = 0;
          this.work(at, time);
        }
      }
      return this.result();
    }

    result() {
      let backlog = 0;
      let oldestMs = 0;
      const ages = new Array(this.minutes).fill(-1);
      const delays = new Array(this.minutes).fill(-1);
      for (const shard of this.shards) {
        let left = shard.timeline.count(this.endMs) - shard.read;
        let first = shard.read;
        for (const lane of shard.lanes) {
          const waiting = lane.ready - lane.taken + lane.size;
          if (waiting) {
            left += waiting;
            first = Math.min(first, shard.spread.record(lane.number, lane.size ? lane.first : lane.taken));
          }
        }
        if (left) {
          backlog += left;
          oldestMs = Math.max(oldestMs, this.endMs - shard.timeline.time(first));
        }
        for (let minute = 0; minute < this.minutes; minute += 1) {
          ages[minute] = Math.max(ages[minute], shard.ages[minute]);
          delays[minute] = Math.max(delays[minute], shard.delays[minute]);
        }
      }
      let settled = 0;
      const waiting = this.settled.map((records, minute) => {
        settled += records;
        const until = minute === this.minutes - 1 ? this.endMs : (minute + 1) * MINUTE_MS - 1;
        return this.shards.reduce((sum, shard) => sum + shard.timeline.count(until), 0) - settled;
      });
      const { totals, invocations, throttles, errors, billed, peak } = this;
      return { totals, invocations, throttles, errors, billed, waiting, ages, delays, peak, backlog, oldestMs };
    }

    settle(now, records) {
      this.settled[Math.min(floorDiv(now, MINUTE_MS), this.minutes - 1)] += records;
    }

    lose(now, records) {
      this.totals.lost += records;
      this.settle(now, records);
    }

    giveUp(now, records) {
      this.totals.discarded += records;
      this.settle(now, records);
    }

    add(time, kind, at, lane, now) {
      this.number += 1;
      this.heap.push([time, ORDERS[kind], now, this.number, kind, at, lane]);
      return this.number;
    }

    poll(at, time) {
      const shard = this.shards[at];
      let now = time;
      shard.tick = false;
      if (this.simple && !this.heap.list.length) {
        now = this.pollPlainly(shard, shard.lanes[0], now);
        if (now < 0) return;
      }
      if (this.wantsMore(shard)) this.read(shard, now);
      this.work(at, now);
    }

    // Polls of one lone lane at which nothing special happens, up to the end of the minute. The time
    // of the first poll that is not like that; -1 when there is none and the next one is planned.
    pollPlainly(shard, lane, start) {
      const { timeline } = shard;
      const { totals, size } = this;
      const minute = floorDiv(start, MINUTE_MS);
      const stop = Math.min((minute + 1) * MINUTE_MS - 1, this.endMs);
      const fullMs = this.duration(size);
      if (
        lane.size || lane.ready > lane.taken || !this.environments || fullMs > this.timeoutMs
        || size > this.fits || minute >= this.minutes || start - this.lastEndMs > ENVIRONMENT_IDLE_MS
      ) {
        return start;
      }
      let highestAge = shard.ages[minute];
      let longest = shard.delays[minute];
      const callsBefore = totals.invocations;
      let { read } = shard;
      let calls = callsBefore;
      let billed = 0;
      let handed = 0;
      let fulls = 0;
      let upcoming = start;
      while (upcoming <= stop) {
        const now = upcoming;
        const waiting = timeline.count(now) - read;
        if (waiting > this.page || !waiting) break;
        const full = floorDiv(waiting, size);
        const rest = waiting % size;
        const batches = full + (rest > 0 ? 1 : 0);
        if (this.nextFailure >= 0 && this.nextFailure < calls + batches) break;
        let end = now + full * fullMs;
        if (rest) end += this.duration(rest);
        if (end > stop || end - timeline.time(read) > this.keepMs) break;
        let began = now;
        let first = read;
        for (let n = 0; n < full; n += 1) {
          highestAge = Math.max(highestAge, began - timeline.time(first + size - 1));
          began += fullMs;
          longest = Math.max(longest, began - timeline.time(first));
          first += size;
        }
        read += waiting;
        if (rest) {
          highestAge = Math.max(highestAge, began - timeline.time(read - 1));
          longest = Math.max(longest, end - timeline.time(first));
        }
        calls += batches;
        fulls += full;
        handed += waiting;
        billed += end - now;
        lane.freeSince = end;
        if (read >= timeline.total) {
          upcoming = -1;
          break;
        }
        upcoming = shard.grid(Math.max(end, timeline.time(read)));
      }
      shard.ages[minute] = highestAge;
      shard.delays[minute] = longest;
      const done = calls - callsBefore;
      if (done) {
        // These steps are much smaller than those of `handOver`.
        this.count(done / 8);
        totals.invocations = calls;
        totals.fullBatches += fulls;
        totals.handed += handed;
        totals.processed += handed;
        totals.billedMs += billed;
        this.invocations[minute] += done;
        this.settled[minute] += handed;
        this.billed[minute] += billed;
        this.lastEndMs = lane.freeSince;
        this.peak = Math.max(this.peak, 1);
        shard.read = lane.ready = lane.taken = read;
        shard.behind = false;
      }
      if (upcoming < 0) return -1;
      if (upcoming > stop) {
        shard.tick = true;
        this.add(upcoming, POLL, 0, 0, upcoming);
        return -1;
      }
      return upcoming;
    }

    wantsMore(shard) {
      return shard.lanes.some((lane) => !lane.size && lane.ready - lane.taken < this.size);
    }

    read(shard, now) {
      if (now > RETENTION_MS) {
        const trimmed = shard.timeline.count(now - RETENTION_MS - 1) - shard.read;
        if (trimmed > 0) {
          this.lose(now, trimmed);
          shard.read += trimmed;
          for (const lane of shard.lanes) {
            const passed = shard.spread.count(lane.number, shard.read) - lane.ready;
            if (lane.ready === lane.taken) {
              lane.taken += passed;
              lane.ready += passed;
            } else {
              this.lose(now, lane.ready - lane.taken);
              lane.ready += passed;
              lane.taken = lane.ready;
            }
          }
        }
      }
      const waiting = shard.timeline.count(now) - shard.read;
      if (waiting > this.page) {
        shard.read += this.page;
        shard.behind = true;
        const minute = Math.min(floorDiv(now, MINUTE_MS), this.minutes - 1);
        const left = waiting - this.page;
        if (shard.lowest[minute] < 0 || left < shard.lowest[minute]) shard.lowest[minute] = left;
      } else {
        shard.read += waiting;
        shard.behind = false;
      }
      for (const lane of shard.lanes) lane.ready = shard.spread.count(lane.number, shard.read);
    }

    work(at, now) {
      const shard = this.shards[at];
      for (;;) {
        for (const lane of shard.lanes) if (!lane.busy) this.advance(at, shard, lane, now);
        if (!(shard.behind && this.wantsMore(shard))) break;
        this.read(shard, now);
      }
      if (shard.tick || !this.wantsMore(shard) || shard.read >= shard.timeline.total) return;
      shard.tick = true;
      const woken = Math.max(now, shard.timeline.time(shard.read));
      let polled = shard.grid(woken);
      if (this.alone && shard.lanes[0].deadline >= 0) {
        polled = Math.max(polled, this.neededPoll(shard, shard.lanes[0]));
      }
      this.add(polled, POLL, at, 0, woken);
    }

    neededPoll(shard, lane) {
      const last = lane.deadline - floorMod(lane.deadline - shard.phase, POLL_MS);
      const completing = lane.taken + Math.min(this.size, this.fits + 1) - 1;
      if (completing >= shard.timeline.total) return last;
      return Math.min(last, shard.grid(shard.timeline.time(completing)));
    }

    advance(at, shard, lane, now) {
      while (!lane.busy) {
        if (lane.size) {
          if (lane.timer) return;
        } else if (!this.form(at, shard, lane, now)) {
          return;
        }
        this.handOver(at, shard, lane, now);
      }
    }

    form(at, shard, lane, now) {
      let count = lane.ready - lane.taken;
      if (count >= this.size) {
        count = Math.min(this.size, this.fits);
      } else if (!count || shard.behind) {
        return false;
      } else if (count > this.fits) {
        count = this.fits;
      } else if (this.windowMs) {
        if (lane.deadline < 0) {
          const windows = Math.max(1, ceilDiv(now - lane.freeSince, this.windowMs));
          lane.deadline = lane.freeSince + windows * this.windowMs;
        }
        if (now < lane.deadline) {
          if (!lane.timer) lane.timer = this.add(lane.deadline, TIMER, at, lane.number, now);
          return false;
        }
      }
      lane.deadline = -1;
      lane.timer = 0;
      lane.first = lane.taken;
      lane.size = count;
      lane.taken += count;
      lane.attempts = lane.throttles = 0;
      return true;
    }

    count(steps) {
      this.steps += steps;
      if (this.steps > MOST_STEPS) throw new RangeError("These settings take too many steps to play here. Fewer hours or a larger batch take fewer.");
    }

    handOver(at, shard, lane, now) {
      this.count(1);
      if (now > this.keepMs && !this.dropOld(shard, lane, now)) return;
      const { totals } = this;
      const minute = Math.min(floorDiv(now, MINUTE_MS), this.minutes - 1);
      const last = shard.spread.record(lane.number, lane.first + lane.size - 1);
      shard.ages[minute] = Math.max(shard.ages[minute], now - shard.timeline.time(last));
      if (this.running >= this.limit) {
        totals.throttles += 1;
        this.throttles[minute] += 1;
        lane.throttles += 1;
        lane.freeSince = now;
        const delay = retryDelay(lane.attempts + lane.throttles);
        const pause = throttlePause(delay, shard.phase, lane.number, lane.throttles);
        lane.timer = this.add(now + pause, TIMER, at, lane.number, now);
        return;
      }
      const number = totals.invocations;
      this.running += 1;
      this.peak = Math.max(this.peak, this.running);
      let duration = this.duration(lane.size);
      let cold = 0;
      if (this.running === 1 && now - this.lastEndMs > ENVIRONMENT_IDLE_MS) this.environments = 0;
      if (this.running > this.environments) {
        this.environments += 1;
        cold = this.handler.coldStartMs;
        totals.coldStarts += 1;
      }
      lane.fails = false;
      if (number === this.nextFailure) {
        lane.fails = true;
        this.findNextFailure();
      }
      if (duration > this.timeoutMs) {
        lane.fails = true;
        duration = this.timeoutMs;
        totals.timeouts += 1;
        if (this.environments > 0) this.environments -= 1;
      }
      if (lane.fails) {
        totals.errors += 1;
        this.errors[minute] += 1;
      } else if (this.alone && !cold && lane.size === this.size && !lane.attempts) {
        const more = this.handOverMore(shard, lane, now, duration);
        if (more) {
          lane.busy = true;
          this.add(now + more * duration, END, at, lane.number, now + (more - 1) * duration);
          return;
        }
      }
      totals.invocations += 1;
      totals.retries += lane.attempts > 0 ? 1 : 0;
      totals.fullBatches += lane.size >= this.size ? 1 : 0;
      totals.handed += lane.size;
      totals.billedMs += cold + duration;
      this.billed[minute] += cold + duration;
      this.invocations[minute] += 1;
      lane.busy = true;
      this.add(now + cold + duration, END, at, lane.number, now);
    }

    handOverMore(shard, lane, now, duration) {
      const { size, totals } = this;
      let more = 1 + floorDiv(lane.ready - lane.taken, size);
      more = Math.min(more, floorDiv(this.endMs - now, duration) + 1);
      if (this.nextFailure >= 0) more = Math.min(more, this.nextFailure - totals.invocations);
      const { first } = lane;
      const time = (number) => shard.timeline.time(number);
      if (now + more * duration - time(first) > this.keepMs || more < 2) return 0;
      totals.invocations += more;
      totals.fullBatches += more;
      totals.handed += more * size;
      totals.billedMs += duration * more;
      const even = shard.timeline.pieceOf(first) === shard.timeline.pieceOf(first + more * size - 1);
      let done = 0;
      while (done < more) {
        const starts = Math.min(floorDiv(now + done * duration, MINUTE_MS), this.minutes - 1);
        let until = more - 1;
        if (starts < this.minutes - 1) {
          until = Math.min(until, floorDiv((starts + 1) * MINUTE_MS - 1 - now, duration));
        }
        this.invocations[starts] += until - done + 1;
        this.billed[starts] += (until - done + 1) * duration;
        for (let n = done; n <= until; n += 1) {
          // Within a piece ages only grow or only shrink: the first and the last two decide.
          if (even && n > done && n < until - 1) n = until - 1;
          const began = now + n * duration;
          const age = began - time(first + (n + 1) * size - 1);
          let minute = Math.min(floorDiv(began, MINUTE_MS), this.minutes - 1);
          shard.ages[minute] = Math.max(shard.ages[minute], age);
          const ended = began + duration;
          minute = Math.min(floorDiv(ended, MINUTE_MS), this.minutes - 1);
          if (n < more - 1) {
            shard.delays[minute] = Math.max(shard.delays[minute], ended - time(first + n * size));
          }
        }
        done = until + 1;
      }
      totals.processed += (more - 1) * size;
      done = 0;
      while (done < more - 1) {
        const ends = floorDiv(now + (done + 1) * duration, MINUTE_MS);
        const until = Math.min(more - 1, floorDiv((ends + 1) * MINUTE_MS - 1 - now, duration));
        this.settled[Math.min(ends, this.minutes - 1)] += (until - done) * size;
        done = until;
      }
      lane.first = first + (more - 1) * size;
      lane.taken = lane.first + size;
      return more;
    }

    dropOld(shard, lane, now) {
      for (const limit of [RETENTION_MS, this.maxAgeMs]) {
        if (now <= limit || !lane.size) continue;
        const kept = shard.timeline.count(now - limit - 1);
        const gone = Math.min(lane.size, shard.spread.count(lane.number, kept) - lane.first);
        if (gone > 0) {
          if (limit === RETENTION_MS) this.lose(now, gone);
          else this.giveUp(now, gone);
          lane.first += gone;
          lane.size -= gone;
        }
      }
      return lane.size > 0;
    }

    ended(at, lane, now) {
      const shard = this.shards[at];
      const { totals } = this;
      this.running -= 1;
      this.lastEndMs = now;
      lane.busy = false;
      lane.freeSince = now;
      if (!lane.fails) {
        totals.processed += lane.size;
        this.settle(now, lane.size);
        const delay = now - shard.timeline.time(shard.spread.record(lane.number, lane.first));
        const minute = Math.min(floorDiv(now, MINUTE_MS), this.minutes - 1);
        shard.delays[minute] = Math.max(shard.delays[minute], delay);
        lane.size = 0;
      } else {
        lane.attempts += 1;
        lane.throttles = 0;
        if (this.choice.maxRetries >= 0 && this.choice.maxRetries < lane.attempts) {
          this.giveUp(now, lane.size);
          lane.size = 0;
        } else {
          lane.timer = this.add(now + retryDelay(lane.attempts), TIMER, at, lane.number, now);
        }
      }
      this.work(at, now);
    }

    findNextFailure() {
      const rate = this.handler.errorRate;
      if (rate <= 0) return;
      this.nextFailure += 1;
      while (!this.draws.chance(rate)) this.nextFailure += 1;
    }
  }

  // -- cycles.py --------------------------------------------------------------------------

  class Cycles {
    constructor(engine) {
      this.engine = engine;
      this.era = null;
      this.seen = new Map();
    }

    skip(now) {
      const era = this.currentEra(now);
      if (era !== this.era) {
        this.era = era;
        this.seen = new Map();
      }
      const skipped = this.skipFrom(now);
      if (skipped) this.seen = new Map();
      return skipped;
    }

    currentEra(now) {
      return JSON.stringify(this.engine.shards.map(({ timeline }) => {
        const piece = timeline.pieceAt(now - 1);
        return [piece, piece >= 0 && now >= timeline.starts[piece] + timeline.lengths[piece]];
      }));
    }

    state(now) {
      const { engine } = this;
      const state = [
        engine.running, engine.environments, Math.min(now - engine.lastEndMs, ENVIRONMENT_IDLE_MS + 1),
      ];
      const deep = [];
      for (const shard of engine.shards) {
        const { timeline } = shard;
        const written = timeline.count(now - 1);
        const waiting = written - shard.read;
        const isDeep = waiting > 3 * engine.page + engine.size;
        deep.push(isDeep);
        const piece = timeline.pieceAt(now - 1);
        let oldest = shard.read;
        for (const lane of shard.lanes) {
          if (lane.size || lane.ready > lane.taken) {
            const first = lane.size ? lane.first : lane.taken;
            oldest = Math.min(oldest, shard.spread.record(lane.number, first));
          }
        }
        const source = oldest < timeline.total ? timeline.pieceOf(oldest) : piece;
        if (isDeep) {
          if (oldest < shard.read && timeline.pieceOf(shard.read) !== source) return null;
          state.push(["deep", source]);
        } else {
          const offset = piece >= 0 ? now - timeline.starts[piece] : 0;
          const writing = piece >= 0 && offset < timeline.lengths[piece];
          if (oldest < written && !(writing && source === piece)) return null;
          const phase = writing ? mulMod(offset, timeline.parts[piece], timeline.spans[piece]) : 0;
          state.push([waiting, phase, piece]);
        }
        state.push([shard.behind, shard.tick, shard.read % shard.spread.block]);
        for (const lane of shard.lanes) {
          let idle = now - lane.freeSince;
          if (!engine.windowMs) idle = 0;
          else if (idle > engine.windowMs) idle = (idle % engine.windowMs) + engine.windowMs;
          state.push([
            lane.ready - lane.taken,
            lane.size,
            lane.size ? lane.ready - lane.first : 0,
            lane.busy,
            lane.fails,
            engine.choice.maxRetries < 0 ? Math.min(lane.attempts, 12) : lane.attempts,
            lane.throttles <= 12 ? lane.throttles : 12 + ((lane.throttles - 12) % POLL_MS),
            lane.timer > 0,
            lane.deadline >= 0 ? lane.deadline - now : null,
            idle,
          ]);
        }
      }
      for (const [time, order, made, number, kind, at, lane] of engine.heap.sorted()) {
        if (kind === TIMER && engine.shards[at].lanes[lane].timer !== number) continue;
        state.push([time - now, order, made - now, kind, at, lane]);
      }
      return { key: JSON.stringify(state), deep };
    }

    skipFrom(now) {
      const { engine } = this;
      const found = this.state(now);
      if (!found) return 0;
      const { key, deep } = found;
      const minute = floorDiv(now, MINUTE_MS);
      const after = {
        minute,
        totals: { ...engine.totals },
        reads: engine.shards.map((shard) => shard.read),
        written: engine.shards.map((shard) => shard.timeline.count(now - 1)),
      };
      const before = this.seen.get(key);
      if (!before) {
        this.seen.set(key, after);
        return 0;
      }
      const cycleMs = (minute - before.minute) * MINUTE_MS;
      const grown = {};
      for (const name of TOTALS) grown[name] = after.totals[name] - before.totals[name];
      let cycles = floorDiv(this.steadyUntil(now) - now, cycleMs) - 1;
      if (engine.nextFailure >= 0) {
        if (grown.errors) return 0;
        if (grown.invocations) {
          const quiet = engine.nextFailure - engine.totals.invocations;
          cycles = Math.min(cycles, floorDiv(quiet, grown.invocations));
        }
      }
      for (const [place, shard] of engine.shards.entries()) {
        if (!deep[place]) continue;
        cycles = Math.min(cycles, this.deepCycles(shard, place, now, before, after));
        if (grown.lost || grown.discarded) return 0;
      }
      if (cycles < 1) {
        this.seen.set(key, after);
        return 0;
      }
      this.jump(now, cycles, cycleMs, grown, before, after, deep);
      return cycles * cycleMs;
    }

    steadyUntil(now) {
      let until = this.engine.endMs;
      for (const { timeline } of this.engine.shards) {
        const piece = timeline.pieceAt(now - 1);
        if (piece >= 0) {
          const end = timeline.starts[piece] + timeline.lengths[piece];
          if (now < end) until = Math.min(until, end);
        }
        if (piece + 1 < timeline.starts.length) until = Math.min(until, timeline.starts[piece + 1]);
      }
      return until;
    }

    deepCycles(shard, place, now, before, after) {
      const { engine } = this;
      const { timeline } = shard;
      const read = after.reads[place] - before.reads[place];
      const start = before.written[place] - before.reads[place];
      const grown = after.written[place] - after.reads[place] - start;
      const lows = shard.lowest.slice(before.minute, after.minute).filter((low) => low >= 0);
      const dip = lows.length ? Math.max(0, start - Math.min(...lows)) : 0;
      let cycles = engine.endMs;
      if (grown < 0) cycles = floorDiv(start + grown - dip - 2 * engine.page, -grown);
      if (read) {
        const piece = timeline.pieceOf(after.reads[place]);
        const last = timeline.before[piece] + timeline.writes[piece];
        cycles = Math.min(cycles, floorDiv(last - after.reads[place] - 2 * engine.page, read) - 1);
      }
      const oldest = Math.min(...shard.lanes.map(
        (lane) => shard.spread.record(lane.number, lane.size ? lane.first : lane.taken),
      ));
      if (oldest < timeline.total) {
        const cycleMs = (after.minute - before.minute) * MINUTE_MS;
        const room = engine.keepMs - (now - timeline.time(oldest)) - 2 * cycleMs;
        if (room < 0) return 0;
        cycles = Math.min(cycles, floorDiv(room, cycleMs));
      }
      return cycles;
    }

    jump(now, cycles, cycleMs, grown, before, after, deep) {
      const { engine } = this;
      const shiftMs = cycles * cycleMs;
      for (const name of TOTALS) engine.totals[name] += grown[name] * cycles;
      engine.lastEndMs += shiftMs;
      for (const counts of [engine.invocations, engine.throttles, engine.errors, engine.billed, engine.settled]) {
        repeat(counts, before.minute, after.minute, cycles, null);
      }
      for (const [place, shard] of engine.shards.entries()) {
        const read = after.reads[place] - before.reads[place];
        let shifts = new Array(cycles + 1).fill(0);
        if (deep[place]) {
          const reference = before.reads[place];
          const origin = read ? shard.timeline.time(reference) : 0;
          shifts = shifts.map((_, n) =>
            n * cycleMs - (read ? shard.timeline.time(reference + n * read) - origin : 0));
        }
        repeat(shard.ages, before.minute, after.minute, cycles, shifts);
        repeat(shard.delays, before.minute, after.minute, cycles, shifts);
        repeat(shard.lowest, before.minute, after.minute, cycles, null);
        shard.read += cycles * read;
        for (const lane of shard.lanes) {
          const moved = shard.spread.count(lane.number, after.reads[place])
            - shard.spread.count(lane.number, before.reads[place]);
          lane.ready += cycles * moved;
          lane.taken += cycles * moved;
          lane.first += cycles * moved;
          lane.freeSince += shiftMs;
          if (lane.deadline >= 0) lane.deadline += shiftMs;
        }
      }
      engine.heap.list = engine.heap.sorted().map(([time, order, made, ...rest]) =>
        [time + shiftMs, order, made + shiftMs, ...rest]);
    }
  }

  // Copy the minutes from `start` to `end` so many times behind `end`; what stands there moves on.
  function repeat(figures, start, end, cycles, shifts) {
    const length = end - start;
    const ahead = figures.slice(end);
    const cycle = figures.slice(start, end);
    for (let n = 1; n <= cycles; n += 1) {
      const shift = shifts ? shifts[n] : 0;
      cycle.forEach((value, k) => {
        figures[start + n * length + k] = value >= 0 ? value + shift : value;
      });
    }
    const place = end + cycles * length;
    const shift = shifts ? shifts[cycles] : 0;
    for (let n = 0; place + n < figures.length && n < ahead.length; n += 1) {
      figures[place + n] = ahead[n] >= 0 && shift ? ahead[n] + shift : ahead[n];
    }
  }

  // -- outcome.py -------------------------------------------------------------------------

  // Simulate as long as the load. `load` is made by `steady` and `burst`; `concurrency` of the choice
  // is null for the account's limit. Lists have one entry a minute, ages and delays null for no data.
  function simulate(load, handler, choice, { seed = 0 } = {}) {
    const endMs = 1000 * seconds(load);
    const plans = plan(load);
    const limit = choice.concurrency === null ? ACCOUNT_LIMIT : choice.concurrency;
    const apart = plans.length * choice.parallelization <= limit;
    const groups = apart ? plans.map((own) => [own]) : [plans];
    const runs = new Map();
    groups.forEach((group, stream) => {
      const shape = handler.errorRate
        ? stream
        : JSON.stringify(group.map((own) => [own.pieces, pollPhase(own.number, seed)]));
      const known = runs.get(shape);
      if (known) {
        known.times += 1;
      } else {
        const engine = new Engine(load, handler, choice, group, { limit, endMs, seed, stream });
        runs.set(shape, { run: engine.run(), times: 1 });
      }
    });
    const every = [...runs.values()];
    const sum = (pick) => every.reduce((total, { run, times }) => total + pick(run) * times, 0);
    const minutes = every[0].run.ages.map((_, minute) => minute);
    const summed = (name) => minutes.map((minute) => sum((run) => run[name][minute]));
    const highest = (name) => minutes.map((minute) => {
      const value = Math.max(...every.map(({ run }) => run[name][minute]));
      return value < 0 ? null : value;
    });
    const outcome = {
      durationMs: endMs,
      writes: writes(load),
      iteratorAgeMs: highest("ages"),
      delayMs: highest("delays"),
      invocationsByMinute: summed("invocations"),
      throttlesByMinute: summed("throttles"),
      errorsByMinute: summed("errors"),
      billedMsByMinute: summed("billed"),
      backlogByMinute: summed("waiting"),
      backlog: sum((run) => run.backlog),
      oldestMs: Math.max(...every.map(({ run }) => run.oldestMs)),
      peakConcurrency: sum((run) => run.peak),
    };
    for (const name of TOTALS) outcome[name] = sum((run) => run.totals[name]);
    outcome.maxIteratorAgeMs = Math.max(0, ...outcome.iteratorAgeMs);
    outcome.maxDelayMs = Math.max(0, ...outcome.delayMs, outcome.oldestMs);
    return outcome;
  }

  // A month's amounts by item of the price list, if every day is like the simulated time.
  function usage(outcome, choice, days) {
    const times = (days * 86_400_000) / outcome.durationMs;
    const item = choice.architecture === "arm64" ? "lambda_gb_seconds_arm" : "lambda_gb_seconds_x86";
    return {
      lambda_requests: outcome.invocations * times,
      [item]: ((outcome.billedMs * choice.memoryMb) / 1024 / 1000) * times,
    };
  }

  Object.assign(globalThis.streamlabs, { steady, burst, simulate, usage });
})();
