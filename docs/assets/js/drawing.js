// Arrow keys walk over the marks of a drawing; what a mark says stands below it.
function walk(drawing) {
  const marks = [...drawing.querySelectorAll(".mark")];
  if (!marks.length) return;
  const said = drawing.closest("figure").querySelector(".said");
  const tell = mark => { if (mark) said.textContent = mark.querySelector("title").textContent; };
  const middle = mark => {
    const box = mark.lastElementChild.tagName === "text" ? mark.querySelector("rect,path") : mark;
    const {left, top, width, height} = (box || mark).getBoundingClientRect();
    return [left + width / 2, top + height / 2];
  };
  const ways = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  marks[0].setAttribute("tabindex", "0");
  drawing.addEventListener("focusin", event => tell(event.target.closest(".mark")));
  drawing.addEventListener("pointerover", event => tell(event.target.closest(".mark")));
  drawing.addEventListener("keydown", event => {
    const way = ways[event.key], here = event.target.closest(".mark");
    if (!way || !here) return;
    event.preventDefault();
    const [x, y] = middle(here);
    let best = null, least = Infinity;
    for (const mark of marks) {
      const [u, v] = middle(mark), ahead = (u - x) * way[0] + (v - y) * way[1];
      const aside = Math.abs((u - x) * way[1]) + Math.abs((v - y) * way[0]);
      if (mark !== here && ahead > 0.5 && ahead + 3 * aside < least) {
        best = mark;
        least = ahead + 3 * aside;
      }
    }
    if (!best) return;
    here.setAttribute("tabindex", "-1");
    best.setAttribute("tabindex", "0");
    best.focus();
  });
}
for (const drawing of document.querySelectorAll("svg.drawing")) walk(drawing);
