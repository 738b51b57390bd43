// Quizzes: a list of options, each with its explanation behind " :: ", becomes a question to answer.
"use strict";

(() => {
  const { make, store } = globalThis.streamlabs;
  const MARK = " :: ";

  // Take everything behind the mark out of a list item; null when it has no mark.
  function cutExplanation(item) {
    const walker = document.createTreeWalker(item, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const at = node.data.indexOf(MARK);
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEndAfter(item.lastChild);
      const found = make("div", { class: "quiz-why" }, range.extractContents());
      // The mark stands in the first text of what was cut out.
      const texts = document.createTreeWalker(found, NodeFilter.SHOW_TEXT);
      texts.nextNode();
      texts.currentNode.data = texts.currentNode.data.replace(MARK, "");
      return found;
    }
    return null;
  }

  function build(block, list, id) {
    const options = [...list.children].map((item, number) => {
      const box = item.querySelector("input[type=checkbox]");
      const right = box !== null && box.hasAttribute("checked");
      if (box) box.remove();
      const why = cutExplanation(item);
      const radio = make("input", { type: "radio", name: id, value: number });
      const mark = make("strong", { class: "quiz-mark" });
      if (why) why.prepend(mark);
      const body = make("span", {}, ...item.childNodes);
      return { right, radio, why, mark, label: make("label", {}, radio, body) };
    });
    const result = make("p", { class: "quiz-result", role: "status" });
    const button = make("button", { type: "button", class: "md-button" }, "Check");
    const question = list.previousElementSibling;
    const fields = make("fieldset");
    if (question && question.tagName === "P") {
      const legend = make("legend", {}, ...question.childNodes);
      question.remove();
      fields.append(legend);
    }
    for (const { label, right, why } of options) {
      fields.append(make("div", { class: "quiz-option", "data-right": String(right) }, label, why || ""));
    }

    function show(chosen) {
      const solved = options[chosen].right;
      options.forEach((option, number) => {
        const open = solved || number === chosen;
        if (option.why) option.why.classList.toggle("is-open", open);
        option.mark.textContent = option.right ? "Right. " : "Not this one. ";
        if (!open) option.mark.textContent = "";
      });
      result.textContent = solved
        ? "Right. All explanations are open now."
        : "Not this one. Read why, and choose again.";
      fields.dataset.solved = solved;
    }

    button.addEventListener("click", () => {
      const chosen = options.findIndex((option) => option.radio.checked);
      if (chosen < 0) {
        result.textContent = "Choose an answer first.";
        return;
      }
      const before = store.get(`quiz/${id}`, null);
      store.set(`quiz/${id}`, {
        chosen,
        right: options[chosen].right,
        tries: (before ? before.tries : 0) + 1,
      });
      show(chosen);
    });

    list.replaceWith(make("form", { class: "quiz-form" }, fields, button, result));
    const saved = store.get(`quiz/${id}`, null);
    if (saved && saved.right && options[saved.chosen] && options[saved.chosen].right) {
      options[saved.chosen].radio.checked = true;
      show(saved.chosen);
    }
  }

  for (const block of document.querySelectorAll(".md-typeset div.quiz")) {
    const lists = [...block.querySelectorAll(":scope > ul.task-list")];
    lists.forEach((list, number) => build(block, list, number ? `${block.id}-${number + 1}` : block.id));
    block.addEventListener("submit", (event) => event.preventDefault());
    block.dataset.ready = "true";
  }
})();
