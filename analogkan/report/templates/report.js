document.documentElement.classList.add("scripted");
(() => {
  const boxes = Array.from(document.querySelectorAll(".scroll"));
  for (const box of boxes) {
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = "wider than the screen: scroll sideways →";
    hint.setAttribute("aria-hidden", "true");
    box.before(hint);
  }
  const mark = () => {
    for (const box of boxes) {
      const cut = box.scrollWidth > box.clientWidth + 1;
      box.previousElementSibling.classList.toggle("needed", cut);
      if (cut) box.setAttribute("tabindex", "0");
      else box.removeAttribute("tabindex");
    }
  };
  new ResizeObserver(mark).observe(document.body);
  mark();
  const small = matchMedia("(max-width: 40rem)").matches;
  if (small) document.querySelector("nav details").open = false;
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
  const inside = (root, found) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.getAttribute("role") === "slider") found.push(element);
      if (element.shadowRoot) inside(element.shadowRoot, found);
    }
    return found;
  };
  let tries = 0;
  const name = () => {
    const found = [];
    for (const live of document.querySelectorAll(".live")) inside(live, found);
    for (const handle of found) handle.setAttribute("aria-label", "image");
    if (!found.length && tries++ < 40) setTimeout(name, 250);
  };
  if (document.querySelector(".live")) name();
})();
