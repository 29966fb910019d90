"""What mkdocs does besides: pages from outside ``docs/``, and links that lead there and back.

The links of all pages are written for GitHub, where they lead to files. Here those to files that have a page
lead to it, and the others to the repository.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import reference
from flowcharts import with_pictures
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebooks import page_of, with_outputs

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {f"notebooks/{path.stem}.md": path for path in sorted(ROOT.glob("examples/notebooks/*.ipynb"))}
BESIDE = {
    "introduction.md": ROOT / "README.md",
    "changelog.md": ROOT / "CHANGELOG.md",
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "security-policy.md": ROOT / "SECURITY.md",
    **NOTEBOOKS,
}
"""The pages that come from other files of the repository than those in ``docs/``."""
_CODE_OR_LINK = re.compile(
    r"^(?P<indent> *)(?P<fence>```+|~~~+).*?^(?P=indent)(?P=fence) *$"
    r"|(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
    r"|(?<=\]\()(?P<to>[^)\s:]+)(?=\))",
    re.DOTALL | re.MULTILINE,
)
_outputs = dict[str, list[str]]()
"""The outputs of the notebooks, by their pages."""


def on_config(config: MkDocsConfig) -> None:
    """Replaces the folders in the navigation by their pages; what is empty is left out."""
    written = [path.relative_to(ROOT / "docs").as_posix() for path in sorted(ROOT.glob("docs/*/*.md"))]
    reached = [*written, *NOTEBOOKS, *(f"reference/{name}.md" for name in reference.PAGES)]
    config.nav = _expanded(config.nav, reached)


def _expanded(nav: object, reached: list[str]) -> object:
    match nav:
        case list():
            parts = (_expanded(each, reached) for each in nav)
            return [each for part in parts for each in (part if isinstance(part, list) else [part]) if each]
        case dict():
            filled = {title: _expanded(part, reached) for title, part in nav.items()}
            return {title: part for title, part in filled.items() if part}
        case str() if nav.endswith("/"):
            return [path for path in reached if path.startswith(nav)]
    return nav


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Adds the pages from elsewhere."""
    for path, source in BESIDE.items():
        text = source.read_text("utf-8")
        if path in NOTEBOOKS:
            text, _outputs[path] = page_of(text)
        files.append(File.generated(config, path, content=text))
    for name, text in reference.pages(ROOT).items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads the links of a page to pages, or to the repository, and draws its flowcharts."""
    path = page.file.src_uri
    source = BESIDE.get(path, ROOT / "docs" / path).relative_to(ROOT).as_posix()

    def lead(found: re.Match[str]) -> str:
        return _led(found["to"], path, source, config.extra["repository"]) if found["to"] else found[0]

    return with_pictures(_CODE_OR_LINK.sub(lead, markdown))


def _led(link: str, path: str, source: str, repository: str) -> str:
    """Where a link leads to on the site.

    Args:
        link: A link as it is written, relative to the file ``source``.
        path: The page, relative to those of the site.
        source: The file, relative to the repository.
        repository: The URL of the repository.
    """
    name, hash_sign, anchor = link.partition("#")
    if not name:
        return link
    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
    if (ROOT / file / "README.md").is_file():
        file = posixpath.join(file, "README.md")
    beside = {each.relative_to(ROOT).as_posix(): page for page, each in BESIDE.items()}
    if file in beside:
        to = beside[file]
    elif file.startswith("docs/") and (ROOT / file).is_file():
        to = file.removeprefix("docs/")
    elif (ROOT / file).exists():
        return f"{repository}/{'tree' if (ROOT / file).is_dir() else 'blob'}/main/{file}{hash_sign}{anchor}"
    else:
        return link
    return posixpath.relpath(to, posixpath.dirname(path) or ".") + hash_sign + anchor


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts the outputs of a notebook into its page, and an anchor at each code of an error."""
    if page.file.src_uri == "errors.md":
        html = re.sub(r"<tr>(?=\s*<td><code>([A-Z_]+)</code></td>)", r'<tr id="\1">', html)
    return with_outputs(html, _outputs.get(page.file.src_uri, []))
