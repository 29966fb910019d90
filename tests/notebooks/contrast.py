"""Measures the contrast of every text on a page as the browser paints it."""

from __future__ import annotations

from typing import TypedDict

from playwright.sync_api import Locator

_MEASURE = """
(root) => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  canvas.canvas.width = canvas.canvas.height = 1;
  const known = new Map();
  const rgba = (color) => {
    if (!known.has(color)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(color, [r, g, b, a / 255]);
    }
    return known.get(color);
  };
  const over = ([r, g, b, a], ground) =>
    [r, g, b].map((value, at) => value * a + ground[at] * (1 - a));
  const linear = (value) => ((value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const opacity = (element) => {
    let product = 1;
    for (let at = element; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
    return product;
  };
  const paint = (element) => {
    const style = getComputedStyle(element);
    const isShape = element instanceof SVGGraphicsElement && !(element instanceof SVGSVGElement);
    if (isShape && (element.nodeName === "g" || style.fill === "none")) return [0, 0, 0, 0];
    const [r, g, b, a] = rgba(isShape ? style.fill : style.backgroundColor);
    return [r, g, b, a * (isShape ? Number(style.fillOpacity) : 1) * opacity(element)];
  };
  const layersAt = (box) => document.elementsFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const groundOf = (element, box) => {
    const found = layersAt(box);
    const own = found.indexOf(element);
    if (own < 0) throw new Error(`expected to see ${element.textContent.slice(0, 80)}, got another element`);
    const layers = found.slice(own + 1).filter((each) => !(each instanceof SVGTextElement));
    if (!(element instanceof SVGElement)) layers.unshift(element);
    return layers.reverse().reduce((ground, layer) => over(paint(layer), ground), [255, 255, 255]);
  };
  const texts = [];
  const look = (element, box, color, text, sign) => {
    const ground = groundOf(element, box);
    const [r, g, b, a] = color;
    const ink = over([r, g, b, a * opacity(element)], ground);
    texts.push({
      text, sign, ratio: contrast(ink, ground), ink: ink.map(Math.round), ground: ground.map(Math.round),
    });
  };
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT);
  while (walker.nextNode()) {
    const element = walker.currentNode;
    if (element.closest("style, title, desc, defs, script")) continue;
    const nodes = [...element.childNodes].filter((node) => node.nodeType === 3);
    const own = nodes.map((node) => node.data).join("");
    const before = getComputedStyle(element, "::before");
    const hasSign = !["none", "normal", '""'].includes(before.content);
    if (!own.trim() && !hasSign) continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    const place = () => (own.trim() ? range : element).getClientRects()[0] ?? new DOMRect();
    let box = place();
    if (!box.width || !box.height) continue;
    if (!layersAt(box).includes(element)) {
      element.scrollIntoView({block: "center", inline: "nearest"});
      box = place();
    }
    const style = getComputedStyle(element);
    const isDrawn = element instanceof SVGElement;
    const color = rgba(isDrawn ? style.fill : style.color);
    if (isDrawn) color[3] *= Number(style.fillOpacity);
    if (own.trim()) look(element, box, color, own.trim(), false);
    if (hasSign) look(element, box, rgba(before.color), before.content, true);
  }
  return texts;
}
"""


class Text(TypedDict):
    """A text on a page."""

    text: str
    sign: bool
    """Whether it is a sign beside a text, which style adds."""
    ratio: float
    """Its contrast to what is painted below it, such as 21 for black on white."""
    ink: list[int]
    ground: list[int]


def measured(root: Locator) -> list[Text]:
    """Returns the texts and signs inside an element, with their contrast; hidden ones are left out."""
    texts: list[Text] = root.evaluate(_MEASURE)
    return texts


def too_faint(texts: list[Text]) -> list[str]:
    """Returns the texts below 4.5:1 and the signs below 3:1, the minima of WCAG 2.2 (1.4.3 and 1.4.11)."""
    found = sorted((each for each in texts if each["ratio"] < (3 if each["sign"] else 4.5)), key=_ratio)
    lines = (f"{each['ratio']:.2f} {each['text'][:40]!r} {each['ink']} on {each['ground']}" for each in found)
    return list(dict.fromkeys(lines))


def _ratio(text: Text) -> float:
    return text["ratio"]
