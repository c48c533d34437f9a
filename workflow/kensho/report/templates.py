"""The HTML templates of the pages, with the style sheet that they share."""

from pathlib import Path

import jinja2
from markupsafe import Markup

from kensho.report import text

HERE = Path(__file__).parent
FILTERS = ("number", "bounds", "probability", "size", "duration", "words", "label", "unit_suffix")


def render(template: str, folder: Path = HERE, **values: object) -> str:
    """A page from a template of a folder, or of this one; everything but markup is escaped.

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
    style = Markup((HERE / "style.css").read_text(encoding="utf-8"))
    try:
        return environment.get_template(template).render(style=style, **values)
    except jinja2.UndefinedError as error:
        name = template.removesuffix(".html.j2")
        raise ValueError(f"page {name}: {error.message}; run the workflow again") from None
