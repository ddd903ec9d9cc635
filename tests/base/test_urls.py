"""Addresses: no spelling of a URL gets past the allow-list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.base.urls import Address, Origin, below

BASE = "https://ehr.example/fhir/r4"

SAME = [
    "https://ehr.example/fhir/r4",
    "https://ehr.example/fhir/r4/",
    "https://ehr.example:443/fhir/r4",
    "HTTPS://EHR.Example/fhir/r4",
]
BELOW = [f"{BASE}/tenant", "https://ehr.example:443/fhir/r4/a/b"]
HOSTILE = [
    "http://ehr.example/fhir/r4",
    "https://ehr.example:8443/fhir/r4",
    "https://ehr.example:80/fhir/r4",
    "https://ehr.example/fhir/r4x",
    "https://ehr.example/fhir/R4",
    "https://ehr.example/fhir",
    "https://ehr.example/",
    "https://ehr.example",
    "https://ehr.example.evil.example/fhir/r4",
    "https://evil.example/fhir/r4",
    "https://evil.example/https://ehr.example/fhir/r4",
    "https://xehr.example/fhir/r4",
    "https://ehr.example@evil.example/fhir/r4",
    "https://ehr.example:443@evil.example/fhir/r4",
    "https://user:pass@ehr.example/fhir/r4",
    "https://@ehr.example/fhir/r4",
    "https://ehr.example\\@evil.example/fhir/r4",
    "https://evil.example\\.ehr.example/fhir/r4",
    "https://ehr.example/fhir/r4/../../admin",
    "https://ehr.example/fhir/r4/./x",
    "https://ehr.example/fhir//r4",
    "https://ehr.example//fhir/r4",
    "https://ehr.example/fhir/%72%34",
    "https://ehr.example/fhir%2fr4",
    "https://ehr.example/fhir/r4/%2e%2e/admin",
    "https://ehr.example/fhir/r4?x=1",
    "https://ehr.example/fhir/r4#x",
    "https://ehr.example/fhir/r4;x=1",
    "https://ehr.example./fhir/r4",
    "https://ehr.example /fhir/r4",
    " https://ehr.example/fhir/r4",
    "https://ehr.example/fhir/r4\n",
    "https://ehr.example/fhir/r4\r\nHost: evil.example",
    "https://ehr.example\t/fhir/r4",
    "https://ehr.example/fhir/r4\x00",
    "https://ehr。example/fhir/r4",
    "https://еhr.example/fhir/r4",
    "https:ehr.example/fhir/r4",
    "https:///ehr.example/fhir/r4",
    "//ehr.example/fhir/r4",
    "ehr.example/fhir/r4",
    "/fhir/r4",
    "ftp://ehr.example/fhir/r4",
    "file:///fhir/r4",
    "javascript:alert(1)",
    "https://ehr.example:99999/fhir/r4",
    "https://ehr.example:0/fhir/r4",
    "https://ehr.example:/fhir/r4",
    "https://ehr.example:0443/fhir/r4",
    "https://ehr..example/fhir/r4",
    "https://.ehr.example/fhir/r4",
    "https://[ehr.example]/fhir/r4",
    "https://[::1]ehr.example/fhir/r4",
    "https://ehr.example/fhir/r4/[x]",
    "https://ehr.example:x/fhir/r4",
    "https://[::1]/fhir/r4",
    "https://2130706433/fhir/r4",
    "https://0x7f.1/fhir/r4",
    "",
]


def covered(url: str) -> bool:
    try:
        found = Address.parse(url)
    except ValueError:
        return False
    return Address.parse(BASE).covers(found)


@pytest.mark.parametrize("url", [*SAME, *BELOW])
def test_the_same_server_in_every_lawful_spelling(url: str) -> None:
    assert covered(url)


@pytest.mark.parametrize("url", HOSTILE)
def test_no_other_server_in_any_spelling(url: str) -> None:
    assert not covered(url)


def test_there_are_many_of_them() -> None:
    assert len(set(HOSTILE)) >= 40


@pytest.mark.parametrize(
    ("url", "spelt"),
    [
        ("HTTPS://EHR.Example:443/fhir/", "https://ehr.example/fhir"),
        ("http://[::1]:8080/r4", "http://[::1]:8080/r4"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
    ],
)
def test_an_address_is_spelt_by_its_parts(url: str, spelt: str) -> None:
    assert str(Address.parse(url)) == spelt


@given(st.text(alphabet="htps:/.@\\%2e?#[]ehr-xample1\n \x00", max_size=60))
def test_what_is_covered_says_so_itself(text: str) -> None:
    """Whatever is let through is spelt with exactly the listed scheme, host and port."""
    for url in (text, f"https://ehr.example{text}", f"{BASE}{text}"):
        if covered(url):
            spelt = str(Address.parse(url))
            assert spelt == BASE or spelt.startswith(f"{BASE}/")
            assert ".." not in spelt


@pytest.mark.parametrize(
    ("url", "followed"),
    [
        (f"{BASE}?_getpages=abc&_getpagesoffset=20", f"{BASE}?_getpages=abc&_getpagesoffset=20"),
        (f"{BASE}/Observation?ct=a%7Cb%3D", f"{BASE}/Observation?ct=a%7Cb%3D"),
        ("https://EHR.example:443/fhir/r4/x", f"{BASE}/x"),
        ("https://ehr.example/fhir?page=2", None),
        ("https://evil.example/fhir/r4?page=2", None),
        (f"{BASE}@evil.example?page=2", None),
        (f"{BASE}?page=2\r\nX: y", None),
        (f"{BASE}?page=2#x", None),
        (f"{BASE}/../admin?page=2", None),
    ],
)
def test_next_pages(url: str, followed: str | None) -> None:
    assert below(Address.parse(BASE), url) == followed


@pytest.mark.parametrize("origin", ["https://a.example", "HTTPS://A.example:443", "https://a.example/"])
def test_an_origin_in_every_lawful_spelling(origin: str) -> None:
    assert str(Origin.parse(origin)) == "https://a.example"


@pytest.mark.parametrize(
    "origin", ["*", "null", "a.example", "https://a.example/x", "https://u@a.example", "https://*.a.x"]
)
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Origin.parse(origin)


@pytest.mark.parametrize(
    "url",
    [
        "https://h:0",
        "https://h:",
        "https://h:080",
        "https://a..b",
        "https://[::1]evil",
        "https://[x]/",
        "https://h/[x]",
    ],
)
def test_odd_addresses_are_refused_altogether(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Address.parse(url)


def test_a_page_below_a_server_without_a_path() -> None:
    assert below(Address.parse("https://h"), "https://h?page=2") == "https://h/?page=2"
