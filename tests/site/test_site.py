"""The site is whole: its links lead somewhere, it needs no other host, and it has every public name."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import stepsched as ss
import stepsched.http
from tests.site.conftest import ROOT, Reader, Site, urls_of

REPOSITORY = "https://github.com/stepsched/stepsched"


def place(page: str, link: str) -> tuple[str, str]:
    """The file that a link of a page leads to, and the anchor in it."""
    parts = urlsplit(link)
    path = unquote(parts.path)
    to = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
    return (posixpath.join(to, "index.html") if path.endswith(("/", ".")) else to), unquote(parts.fragment)


def is_elsewhere(link: str) -> bool:
    return bool(urlsplit(link).scheme or urlsplit(link).netloc) and not link.startswith("data:")


def test_it_is_built_without_a_warning(site: Site) -> None:
    assert "WARNING" not in site.said
    assert "griffe" not in site.said


def test_every_link_and_picture_leads_to_a_file_and_to_an_anchor_of_it(site: Site) -> None:
    def leads(page: str, link: str) -> bool:
        to, anchor = place(page, link)
        there = site.pages.get(to)
        if there is None:
            return (site.folder / to).is_file()
        return not anchor or anchor in there.ids

    broken = [
        (page, link)
        for page, read in site.pages.items()
        for link in [*read.links, *read.loads]
        if page != "404.html" and not urlsplit(link).scheme and not leads(page, link)
    ]
    assert broken == []


def test_every_link_to_the_repository_leads_to_a_file_of_it(site: Site) -> None:
    links = {link for read in site.pages.values() for link in read.links if link.startswith(REPOSITORY)}
    named = {found[1] for link in links if (found := re.match(r".*/(?:blob|tree)/main/([^#]+)", link))}
    assert "examples/web_jobs.py" in named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_no_page_loads_anything_of_another_host(site: Site) -> None:
    loaded = {link for read in site.pages.values() for link in read.loads}
    for sheet in site.folder.rglob("*.css"):
        loaded.update(urls_of(sheet.read_text("utf-8")))
    assert any(link.endswith(".css") for link in loaded)
    assert sorted(link for link in loaded if is_elsewhere(link)) == []


def test_no_page_has_what_the_script_of_the_theme_asks_other_hosts_for(site: Site) -> None:
    """For diagrams of Mermaid it loads a program, and for the repository the number of its stars."""
    for page, read in site.pages.items():
        assert "mermaid" not in read.classes, page
        assert "md-source" not in read.classes, page


def test_no_page_has_an_anchor_twice(site: Site) -> None:
    twice = {
        (page, name)
        for page, read in site.pages.items()
        for name in read.ids
        if read.ids.count(name) > 1 and not name.startswith("__")
    }
    assert twice == set()


def test_every_page_is_in_the_navigation(site: Site) -> None:
    reached = {place("index.html", link)[0] for link in site.pages["index.html"].navigation}
    assert site.pages.keys() - reached == {"404.html"}


def test_every_page_of_the_repository_is_there(site: Site) -> None:
    written = [path.relative_to(ROOT / "docs").with_suffix("") for path in ROOT.glob("docs/**/*.md")]
    folders = [path.parent if path.name == "README" else path for path in written]
    expected = {(folder / "index.html").as_posix() for folder in folders}
    expected |= {f"notebooks/{path.stem}/index.html" for path in ROOT.glob("examples/notebooks/*.ipynb")}
    expected |= {f"{name}/index.html" for name in ("introduction", "changelog", "contributing")}
    assert expected <= site.pages.keys()


def public_paths() -> Iterator[set[str]]:
    """The paths of every exported object; it needs an entry under one of them."""
    by_object = dict[int, set[str]]()
    exported = [(f"stepsched.{name}", getattr(ss, name)) for name in ss.__all__]
    for space in ss._NAMESPACES:
        namespace = getattr(ss, space)
        exported += [(f"stepsched.{space}.{name}", getattr(namespace, name)) for name in namespace.__all__]
    for path, value in exported:
        by_object.setdefault(id(value), set()).add(path)
    yield from by_object.values()
    yield from ({f"stepsched.http.{name}"} for name in stepsched.http.__all__)
    yield from ({f"stepsched.cdk.{name}"} for name in names_of_the_cdk())


def names_of_the_cdk() -> list[str]:
    """The names that this namespace exports; it cannot be imported here."""
    tree = ast.parse((ROOT / "stepsched/cdk/__init__.py").read_text("utf-8"))
    (names,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    return list(ast.literal_eval(names))


def reference(site: Site) -> dict[str, Reader]:
    return {page: read for page, read in site.pages.items() if page.startswith("reference/")}


def test_every_public_name_has_an_entry_in_the_reference(site: Site) -> None:
    entries = {name for read in reference(site).values() for name in read.ids}
    missing = [
        paths for paths in public_paths() if not paths & entries and paths != {"stepsched.__version__"}
    ]
    assert missing == []


def test_a_field_is_shown_with_its_type_and_default_and_without_what_validates_it(site: Site) -> None:
    jobs = site.pages["reference/jobs/index.html"]
    assert "stepsched.Retry.max_attempts" in jobs.ids
    assert "max_attempts: int = 3" in jobs.text
    assert "tags: dict[str, str] = dict()" in jobs.text
    for page, read in reference(site).items():
        assert not re.search(r"\bAnnotated\[|\bField\(", read.text), page


def test_a_function_is_shown_where_its_module_has_the_same_name(site: Site) -> None:
    for page, read in reference(site).items():
        assert "doc-module" not in read.classes, page


def test_no_docstring_shows_its_markup(site: Site) -> None:
    for page, read in reference(site).items():
        assert not re.search(r":(attr|class|data|func|meth|mod):", read.text), page
        assert "``" not in read.text, page


def test_every_code_of_an_error_has_an_anchor(site: Site) -> None:
    codes = {code.value for code in ss.errors.ErrorCode}
    assert codes <= set(site.pages["errors/index.html"].ids)


def test_a_policy_that_a_docstring_names_is_a_link(site: Site) -> None:
    assert "../../policies/#p-02" in site.pages["reference/schedules/index.html"].links


def test_the_repository_is_that_of_the_package() -> None:
    assert f'Homepage = "{REPOSITORY}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert f"repository: {REPOSITORY}\n" in (ROOT / "mkdocs.yml").read_text("utf-8")
