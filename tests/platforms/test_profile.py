"""Reading platform.yml: every fault of every file, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.errors import MappingFileError
from adapter.platforms import load_platforms

GOOD = """\
signature:
  header: X-Tea-Signature
  scheme: hmac-sha256
  encoding: hex
delivery:
  topic: X-Tea-Topic
  id: X-Tea-Id
  shop: X-Tea-Shop
"""


def write(directory: Path, text: str, name: str = "tea") -> str:
    folder = directory / name
    folder.mkdir()
    file = folder / "platform.yml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def faults(directory: Path) -> list[str]:
    with pytest.raises(MappingFileError) as caught:
        load_platforms(directory)
    return [str(fault) for fault in caught.value.faults]


def test_a_platform_is_named_after_its_folder(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "schema.yml").write_text("version: 1\n")
    (tmp_path / "no-profile").mkdir()
    platforms = load_platforms(tmp_path)
    assert list(platforms) == ["tea"]
    assert platforms["tea"].name == "tea"


def test_hexadecimal_signatures(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    tea = load_platforms(tmp_path)["tea"]
    # printf 'leaf' | openssl dgst -sha256 -hmac pot
    signature = "c3f37650c04ac3e842411eff67fa9698d75c8c15598e2632a95a9950ca028f68"
    assert tea.sign(b"leaf", "pot") == {"X-Tea-Signature": signature}
    tea.verify({"x-tea-signature": signature}, b"leaf", ["kettle", "pot"])


def test_a_directory_without_platforms_has_none(tmp_path: Path) -> None:
    assert load_platforms(tmp_path) == {}


def test_unknown_and_missing_keys(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """\
signature:
  heeder: X-Tea-Signature
  scheme: hmac-sha265
  encoding: base32
delivery:
  topic: X-Tea-Topic
  shop: X Tea Shop
  extra: X-Tea-Extra
more: 1
""",
    )
    assert faults(tmp_path) == [
        f"{file}:2:3: missing key 'header'",
        f"{file}:2:3: unknown key 'heeder', did you mean 'header'?",
        f"{file}:3:11: unknown scheme 'hmac-sha265', did you mean 'hmac-sha256'?",
        f"{file}:4:13: unknown encoding 'base32', did you mean 'base64'?",
        f"{file}:6:3: missing key 'id'",
        f"{file}:7:9: 'X Tea Shop' is not the name of a header",
        f"{file}:8:3: unknown key 'extra'",
        f"{file}:9:1: unknown key 'more'",
    ]


def test_faults_of_all_files_are_listed(tmp_path: Path) -> None:
    tea = write(tmp_path, GOOD.replace("X-Tea-Topic", "[]"))
    mate = write(tmp_path, "signature: yes\ndelivery: 3\n", "mate")
    assert faults(tmp_path) == [
        f"{mate}:1:12: expected a mapping of header, scheme, encoding, hint",
        f"{mate}:2:11: expected a mapping of topic, id, shop, triggered_at, api_version, test",
        f"{tea}:6:10: expected text",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a list\n", "text\n"])
def test_no_profile_at_all(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, text)
    assert faults(tmp_path) == [f"{file}:1:1: expected signature: and delivery:"]


def test_faults_of_the_yaml_itself(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD + "  topic: X-Again\n")
    assert faults(tmp_path) == [f"{file}:9:3: duplicate key 'topic', first on line 6"]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "tea" / "platform.yml").write_bytes(b"\xff\xfe\xff")
    (only,) = faults(tmp_path)
    assert "cannot be read" in only


def test_a_required_header_may_not_be_blank(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD.replace("X-Tea-Shop", "''"))
    assert faults(tmp_path) == [f"{file}:8:9: expected text"]


ALSO = """\
also:
  - signature:
      header: Tea-Signature
      scheme: hmac-sha256
      encoding: base64
    delivery:
      topic: [Tea-Thing, Tea-Deed, Tea-Mood]
      shop: Tea-Shop
    park: it is
      another product
"""


def test_a_further_form(tmp_path: Path) -> None:
    write(tmp_path, GOOD + ALSO)
    tea = load_platforms(tmp_path)["tea"]
    (form,) = tea.profile.forms[1:]
    headers = {**form.signature.sign(b"leaf", "pot"), "Tea-Thing": "cup", "tea-shop": "A.b"}
    tea.verify(headers, b"leaf", ["pot"])
    assert tea.park(headers) == "it is another product"
    first, second = tea.deliver(headers, 1), tea.deliver({**headers, "Tea-Mood": "calm"}, 1)
    assert (first.topic, first.shop, second.topic) == ("cup", "a.b", "cup/calm")
    assert first.id != second.id
    assert tea.sign(b"leaf", "pot").keys() == {"X-Tea-Signature"}, "we send the usual form"


def test_faults_of_further_forms(tmp_path: Path) -> None:
    also = ALSO.replace("hmac-sha256", "rot13").replace("    park:", "    bark:")
    file = write(tmp_path, GOOD + also.replace("Tea-Deed", "Tea Deed"))
    assert faults(tmp_path) == [
        f"{file}:10:5: missing key 'park'",
        f"{file}:12:15: unknown scheme 'rot13', known: hmac-sha256",
        f"{file}:15:26: 'Tea Deed' is not the name of a header",
        f"{file}:17:5: unknown key 'bark', did you mean 'park'?",
    ]


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("also: {}", "9:7", "also: expected a list of forms"),
        ("also: [3]", "9:8", "expected a mapping of signature, delivery, park"),
        ("subscribe: x", "9:12", "expected a mapping of admin, names, graphql, elsewhere"),
        ("subscribe: {names: [a]}", "9:20", "expected a mapping of topics to texts"),
        ("subscribe: {names: {a/b: 3}}", "9:26", "expected text"),
        ("subscribe: {url: x}", "9:13", "unknown key 'url'"),
    ],
)
def test_faults_of_the_rest(tmp_path: Path, text: str, place: str, problem: str) -> None:
    file = write(tmp_path, f"{GOOD}{text}\n")
    assert faults(tmp_path) == [f"{file}:{place}: {problem}"]


def test_how_to_subscribe(tmp_path: Path) -> None:
    text = "subscribe: {admin: Settings, names: {a/b: A thing}, elsewhere: {c/d: the app}}\n"
    write(tmp_path, GOOD + text)
    write(tmp_path, GOOD, "mate")
    found = load_platforms(tmp_path)
    subscribe = found["tea"].profile.subscribe
    assert (subscribe.admin, subscribe.graphql) == ("Settings", "")
    assert (subscribe.names, subscribe.elsewhere) == ({"a/b": "A thing"}, {"c/d": "the app"})
    assert found["mate"].profile.subscribe.names == {}
