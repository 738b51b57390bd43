(() => {
  const KEPT = "labs-sandbox-token", EVERY_MS = 2000;
  const at = name => document.getElementById(name);
  const parts = [...document.querySelectorAll("[data-part]")], shown = new Map();
  let token = "", held = false, lost = false, timer = 0;

  // The token comes behind the # of the address, which no request carries; a tab keeps it.
  function known() {
    const given = decodeURIComponent(location.hash.slice(1)).replace(/^token=/, "");
    if (given) {
      sessionStorage.setItem(KEPT, given);
      history.replaceState(null, "", location.pathname);
    }
    return sessionStorage.getItem(KEPT) ?? "";
  }
  async function ask(what) {
    const answer = await fetch(`/_labs/${what}`, {headers: {"X-Labs-Token": token}, cache: "no-store"});
    if (answer.status === 403) {
      sessionStorage.removeItem(KEPT);
      token = "";
      lock();
      throw new Error("the token is another one");
    }
    if (!answer.ok) throw new Error(`the sandbox answers ${answer.status}`);
    return answer.json();
  }
  function lock() {
    at("key").hidden = Boolean(token);
    at("parts").hidden = !token;
  }
  function tell(sentence) {
    if (at("said").textContent !== sentence) at("said").textContent = sentence;
  }
  // HTML of the sandbox's own making. What somebody reads by keyboard is not taken from under them.
  function put(place, html) {
    if (shown.get(place) === html || place.contains(document.activeElement)) return;
    const open = [...place.querySelectorAll("details")].map(one => one.open);
    const moved = [...place.querySelectorAll(".scroll")].map(one => [one.scrollLeft, one.scrollTop]);
    shown.set(place, html);
    place.innerHTML = html;
    place.querySelectorAll("details").forEach((one, number) => { one.open = Boolean(open[number]); });
    place.querySelectorAll(".scroll").forEach((one, number) => {
      [one.scrollLeft, one.scrollTop] = moved[number] ?? [0, 0];
    });
    walk(place);
  }
  async function look() {
    clearTimeout(timer);
    if (token && !held && !document.hidden) {
      try {
        const seen = await ask("overview");
        lost = false;
        at("time").textContent = seen.time;
        tell(seen.said);
        for (const place of parts) put(place, seen.parts[place.dataset.part]);
      } catch (problem) {
        if (!lost) tell(`Nothing new: ${problem.message}.`);
        lost = true;
      }
    }
    timer = setTimeout(look, EVERY_MS);
  }
  async function replay() {
    const seen = await ask("replay");
    at("none").hidden = seen.happened;
    at("left").textContent = seen.left_out;
    at("replay").replaceChildren();
    if (!seen.happened) return;
    const viewer = document.createElement("div");
    at("replay").append(viewer);
    mount(viewer, await unpack(seen.viewer), () => {})(0, seen.length);
  }
  async function begin() {
    token = known();
    lock();
    await look();
    if (token) await replay().catch(problem => tell(`No replay: ${problem.message}.`));
  }
  at("hold").addEventListener("click", () => {
    held = !held;
    at("hold").setAttribute("aria-pressed", held);
    if (!held) look();
  });
  at("enter").addEventListener("click", () => {
    sessionStorage.setItem(KEPT, at("token").value.trim());
    begin();
  });
  at("again").addEventListener("click", () => replay().catch(problem => tell(`No replay: ${problem.message}.`)));
  addEventListener("hashchange", begin);
  document.addEventListener("visibilitychange", look);
  begin();
})();
