"""Who stands behind a crate and what may be shared of it: nobody and nothing is invented."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kensho.data.licences import LicenceClass
from kensho.validation import Section

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _https(address: str) -> str:
    if not re.fullmatch(r"https://[^\s@?#/]+(/[^\s?#]*)?", address):
        raise ValueError("no plain https address; take one without user, query and fragment")
    return address


Url = Annotated[str, AfterValidator(_https)]


def _orcid(identifier: str) -> str:
    """ISO 7064 MOD 11-2, as ORCID describes it."""
    total = 0
    for digit in identifier.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    if identifier[-1] != ("X" if check == 10 else str(check)):
        raise ValueError("its last character does not check; take it from orcid.org")
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

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        """An address stands for one person, organisation or licence."""
        names = [(f"https://orcid.org/{one.orcid}", one.name) for one in self.authors if one.orcid]
        places = [(one.affiliation_url, one.affiliation) for one in self.authors]
        places += [(self.publisher.url, self.publisher.name)] if self.publisher else []
        every = [*names, *{*places}, *([(self.licence, "licence")] if self.licence else [])]
        addresses = [address for address, _ in every if address]
        for address in addresses:
            if addresses.count(address) > 1:
                raise ValueError(f"{address} stands for two; name another for one of them")
        return self
