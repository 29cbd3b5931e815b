"""Looks at pages, pictures and flowcharts in Chromium: browser.py DIRECTORY MERMAID.

Everything *.html, *.svg and *.mmd in DIRECTORY is opened as a file, the flowcharts by the library
MERMAID. Prints a line for each thing that is wrong; the last line says how much was looked at.
"""

import base64
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

# Pixels: a phone, a tablet upright, a desk.
WIDTHS = [320, 768, 1280]
# Inches.
PAPERS = {"A4": (8.27, 11.69), "Letter": (8.5, 11)}

# What is wrong with how the page looks now, as a list of texts.
LOOK = r"""
const problems = [];
const root = document.documentElement;
const name = e => `<${e.localName} ${e.className.baseVal ?? e.className}> "${e.textContent.trim().slice(0, 40)}"`;
if (document.fonts.status !== 'loaded') problems.push('fonts are not loaded');
if (performance.getEntriesByType('resource').length) problems.push('something is loaded');
if (document.querySelector('script')) problems.push('there is a script');
if (root.scrollWidth > root.clientWidth && root.localName === 'html')
  problems.push(`wider than the window: ${root.scrollWidth} > ${root.clientWidth}`);

// Nothing leaves what it stands in; a pixel is lost to rounding.
const hidden = e => e.closest('.skip') || (e.closest('thead') && getComputedStyle(e.closest('thead')).position === 'absolute');
for (const e of document.querySelectorAll('body *')) {
  if (hidden(e) || e.closest('svg') !== null && e.localName !== 'svg') continue;
  const box = e.getBoundingClientRect();
  if (box.width === 0) continue;
  const around = e.parentElement.getBoundingClientRect();
  if (getComputedStyle(e.parentElement).display !== 'inline'
      && (box.left < around.left - 1 || box.right > around.right + 1))
    problems.push(`${name(e)} leaves ${name(e.parentElement)}: ${box.left}..${box.right} in ${around.left}..${around.right}`);
  if (e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1 && e.localName !== 'svg')
    problems.push(`${name(e)} overflows: ${e.scrollWidth} > ${e.clientWidth}`);
}

// Pictures: text within its frame and apart from other text.
const inside = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
const apart = (a, b) => a.right <= b.left + 0.5 || b.right <= a.left + 0.5 || a.bottom <= b.top + 2 || b.bottom <= a.top + 2;
for (const picture of document.querySelectorAll('svg[role=img]')) {
  const area = picture.getBoundingClientRect();
  const frames = [...picture.querySelectorAll('rect')].map(e => e.getBoundingClientRect());
  const texts = [...picture.querySelectorAll('text')].map(e => [e, e.getBoundingClientRect()]);
  for (const [e, box] of texts) {
    if (!inside(box, area)) problems.push(`${name(e)} leaves its picture`);
    for (const frame of frames)
      if (!apart(box, frame) && !inside(box, frame)) problems.push(`${name(e)} crosses a frame`);
  }
  for (let i = 0; i < texts.length; i++)
    for (let j = 0; j < i; j++)
      if (!apart(texts[i][1], texts[j][1])) problems.push(`${name(texts[i][0])} overlaps ${name(texts[j][0])}`);
  if (!picture.querySelector('title').textContent) problems.push('a picture without a title');
}

// Contrast, by WCAG 2.
const channels = c => c.match(/[\d.]+/g).map(Number);
const luminance = c => channels(c).slice(0, 3).map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const opaque = c => c !== 'none' && c !== 'transparent' && (channels(c)[3] ?? 1) > 0;
const behind = e => {
  if (e.localName === 'text') {
    const box = e.getBoundingClientRect();
    const frame = [...document.querySelectorAll('rect')].reverse().find(r => inside(box, r.getBoundingClientRect()));
    if (frame) return getComputedStyle(frame).fill;
  }
  for (let at = e; at instanceof HTMLElement || at instanceof SVGElement; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (opaque(color)) return color;
    if (!at.parentElement) break;
  }
  return 'rgb(255, 255, 255)';
};
const seen = new Set();
for (const e of document.querySelectorAll('body *, text')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest('title, desc, style')) continue;
  const style = getComputedStyle(e);
  const color = e.localName === 'text' ? style.fill : style.color;
  const pair = `${color} on ${behind(e)}`;
  if (seen.has(pair)) continue;
  seen.add(pair);
  const [low, high] = [luminance(color), luminance(behind(e))].sort((a, b) => a - b);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < 4.5) problems.push(`${name(e)}: ${pair} has a contrast of ${ratio.toFixed(2)}`);
}
return problems;
"""

# Whether each link of the page leads to what it names, by following it.
FOLLOW = r"""
const problems = [];
const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push(`two elements are #${id}`);
const links = [...document.querySelectorAll('a[href]')];
if (!links.length) problems.push('there are no links');
for (const link of links) {
  const href = link.getAttribute('href');
  if (!href.startsWith('#')) { problems.push(`a link leaves the page: ${href}`); continue; }
  const target = document.getElementById(href.slice(1));
  if (!target) { problems.push(`${href} leads nowhere`); continue; }
  link.click();
  const top = target.getBoundingClientRect().top;
  if (location.hash !== href || top < -1 || top > innerHeight) problems.push(`${href} is not shown: ${top}`);
}
for (const e of document.querySelectorAll('th')) if (!e.scope) problems.push('a header without a scope');
for (const e of document.querySelectorAll('[aria-labelledby]'))
  for (const id of e.getAttribute('aria-labelledby').split(' '))
    if (!document.getElementById(id)) problems.push(`no label #${id}`);
if (!root_lang()) problems.push('no language');
function root_lang() { return document.documentElement.lang; }
let level = 0;
for (const e of document.querySelectorAll('h1, h2, h3, h4')) {
  const now = Number(e.localName[1]);
  if (now > level + 1) problems.push(`a heading is skipped before "${e.textContent}"`);
  level = now;
}
return problems;
"""


class Browser:
    def __init__(self):
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(
            service=Service("/usr/bin/chromedriver"), options=options
        )
        self.problems = 0

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def tell(self, subject, problems):
        for problem in problems:
            self.problems += 1
            print(f"{subject}: {problem}")

    def media(self, scheme, medium=""):
        self.command(
            "Emulation.setEmulatedMedia",
            media=medium,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def width(self, pixels):
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=pixels, height=900, deviceScaleFactor=1, mobile=False,
        )

    def logged(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def look(self, path):
        self.driver.get(path.as_uri())
        for scheme in ["light", "dark"]:
            self.media(scheme)
            for width in WIDTHS:
                self.width(width)
                self.tell(f"{path.name}, {width}, {scheme}", self.driver.execute_script(LOOK))
        # On paper it is light, whatever the reader prefers on the screen.
        self.media("dark", "print")
        self.width(718)
        self.tell(f"{path.name}, print", self.driver.execute_script(LOOK))
        color = self.driver.execute_script(
            "return getComputedStyle(document.querySelector('text')).fill"
        )
        if color != "rgb(26, 26, 26)":
            self.tell(path.name, [f"printed text is {color}"])
        self.media("light")
        self.width(1280)
        self.tell(path.name, self.logged())

    def print(self, path):
        """Prints the page on each paper; what must not be lost is there."""
        # Every row's id stands in the first cell of its row, and beside its arrow.
        wanted = set(
            self.driver.execute_script(
                "return [...document.querySelectorAll('tbody th code, text.pfw-id')].map(e => e.textContent)"
            )
        )
        titles = self.driver.execute_script(
            "return [...document.querySelectorAll('figure title, svg svg title')].map(e => e.textContent)"
        )
        for paper, (width, height) in PAPERS.items():
            answer = self.command(
                "Page.printToPDF", paperWidth=width, paperHeight=height, preferCSSPageSize=False,
                printBackground=False,
            )
            with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
                file.write(base64.b64decode(answer["data"]))
                file.flush()
                text = subprocess.run(
                    ["pdftotext", "-raw", file.name, "-"],
                    check=True, capture_output=True, text=True,
                ).stdout
            pages = ["".join(page.split()) for page in text.split("\f")][:-1]
            subject = f"{path.name} on {paper}, {len(pages)} pages"
            if path.suffix == ".html":
                flat = "".join(pages)
                missing = [name for name in wanted if "".join(name.split()) not in flat]
                self.tell(subject, [f"{name} is missing" for name in missing])
                for title in titles:
                    begins = [
                        page for page in pages
                        if page.removeprefix("Diagrams").startswith("".join(title.split()))
                    ]
                    if len(begins) != 1:
                        self.tell(subject, [f"\"{title}\" does not begin a page"])
            elif len(titles) == 1 and len(pages) != 1:
                self.tell(subject, ["a picture of its own takes more than a page"])

    def draw(self, paths, library):
        """Parses and draws flowcharts by Mermaid itself."""
        with tempfile.TemporaryDirectory() as directory:
            page = pathlib.Path(directory) / "mermaid.html"
            page.write_text(
                f'<!DOCTYPE html><meta charset="utf-8"><title>m</title><script src="{library.as_uri()}"></script>'
            )
            self.driver.get(page.as_uri())
            for path in paths:
                answer = self.driver.execute_async_script(
                    """
                    const [text, done] = arguments;
                    (async () => {
                      mermaid.initialize({startOnLoad: false});
                      await mermaid.parse(text);
                      const {svg} = await mermaid.render('drawn', text);
                      const at = document.createElement('div');
                      at.innerHTML = svg;
                      document.body.replaceChildren(at);
                      return {text: at.innerText, edges: at.querySelectorAll('.edgePaths path').length,
                        elements: at.querySelectorAll('script, img, a, iframe').length};
                    })().then(done, error => done({problem: String(error)}));
                    """,
                    path.read_text(),
                )
                if "problem" in answer:
                    self.tell(path.name, [answer["problem"]])
                    continue
                drawn = "".join(answer["text"].split())
                expected = json.loads(path.with_suffix(".json").read_text())
                if answer["edges"] != expected["arrows"]:
                    self.tell(path.name, [f"{answer['edges']} arrows, not {expected['arrows']}"])
                if answer["elements"]:
                    self.tell(path.name, ["a label became an element"])
                for words in expected["texts"]:
                    if "".join(words.split()) not in drawn:
                        self.tell(path.name, [f"\"{words}\" is missing in {answer['text']}"])
            self.tell("mermaid", self.logged())


def main(directory, library):
    directory = pathlib.Path(directory).resolve()
    browser = Browser()
    try:
        pages = sorted(directory.glob("*.html"))
        pictures = sorted(directory.glob("*.svg"))
        for path in pages + pictures:
            text = path.read_text()
            # An independent parser of XML, also for the pictures within pages.
            for picture in re.findall(r"<svg.*?</svg>", text, re.S) if path in pages else [text]:
                xml.etree.ElementTree.fromstring(picture)
            browser.look(path)
            if path in pages:
                browser.tell(path.name, browser.driver.execute_script(FOLLOW))
            browser.print(path)
        charts = sorted(directory.glob("*.mmd"))
        browser.draw(charts, pathlib.Path(library).resolve())
    finally:
        browser.driver.quit()
    print(f"looked at {len(pages)} pages, {len(pictures)} pictures, {len(charts)} flowcharts")
    return 1 if browser.problems else 0


sys.exit(main(*sys.argv[1:]))
