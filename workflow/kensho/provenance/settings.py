"""Who stands behind a crate and what may be shared of it: nobody and nothing is invented."""

from typing import Annotated

from pydantic import AfterValidator, Field

from kensho.data.licences import LicenceClass
from kensho.validation import Section

Text = Annotated[str, Field(min_length=1)]
Url = Annotated[str, Field(pattern=r"^https://[^\s@?#/]+(/[^\s?#]*)?$")]


def _orcid(identifier: str) -> str:
    """ISO 7064 MOD 11-2, as ORCID describes it."""
    total = 0
    for digit in identifier.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    if identifier[-1] != ("X" if check == 10 else str(check)):
        raise ValueError("its last character does not check; copy it from orcid.org")
    return identifier


class Author(Section):
    name: Text
    orcid: Annotated[str, Field(pattern=r"^(\d{4}-){3}\d{3}[\dX]$"), AfterValidator(_orcid)] | None
    affiliation: Text | None = None
    affiliation_url: Url | None = None


class Publisher(Section):
    name: Text
    url: Url


class Provenance(Section):
    title: Text | None = Field(None, description="of the crate; null for the workflow's own")
    description: Text | None = Field(None, description="a sentence or two on this run")
    authors: list[Author] = Field([], description="name, orcid or null, affiliation")
    publisher: Publisher | None = Field(None, description="name and url")
    licence: Url | None = Field(None, description="of the results, by its URL")
    texts: list[LicenceClass] = Field(
        ["permissive", "public-domain", "by", "by-sa"],
        description="licence classes whose texts, and answers to them, the crate may hold",
    )
