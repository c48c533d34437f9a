"""The HTML templates of the pages, with the style sheet that they share."""

from pathlib import Path

import jinja2
from markupsafe import Markup

from kensho.report import text

HERE = Path(__file__).parent
FILTERS = ("number", "bounds", "probability", "size", "duration", "words", "label", "unit_suffix")


# Of a page that no verdict can rest on; it lies over everything and takes no clicks.
WATERMARK = """
body::after { content: "REHEARSAL"; position: fixed; inset: 0; display: grid; place-items: center;
  font-size: 14vw; font-weight: 700; letter-spacing: .1em; color: var(--failed); opacity: .16;
  rotate: -30deg; pointer-events: none; print-color-adjust: exact; }
"""


def render(template: str, folder: Path = HERE, *, rehearsal: bool = False, **values: object) -> str:
    """A page from a template of a folder, or of this one; everything but markup is escaped.

    With ``rehearsal`` a watermark lies over it.

    Raises:
        ValueError: a value lacks a key that the template reads.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(text, name) for name in FILTERS}
    style = (HERE / "style.css").read_text(encoding="utf-8") + (WATERMARK if rehearsal else "")
    try:
        return environment.get_template(template).render(style=Markup(style), **values)
    except jinja2.UndefinedError as error:
        name = template.removesuffix(".html.j2")
        raise ValueError(f"page {name}: {error.message}; run the workflow again") from None
