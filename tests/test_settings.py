import re
from pathlib import Path

import pytest

from adapter.errors import SettingsError
from adapter.settings import VARIABLES, Settings, shipped


def problems(environ, need=()):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ, need=need)
    return list(caught.value.problems)


def test_an_empty_environment_gives_the_defaults():
    settings = Settings.from_env({})
    assert settings == Settings()
    assert settings.customerio_track_url == "https://track.customer.io"
    assert settings.mappings_dirs == ()
    assert settings.data_dir == Path(".adapter")


def test_a_dry_run_needs_no_credentials():
    assert len(problems({}, ["customerio"])) == 2
    assert Settings.from_env({"DRY_RUN": "1"}, need=["customerio"]).dry_run
    for on in ("true", "ON", "yes"):
        assert Settings.from_env({"DRY_RUN": on}).dry_run
    for off in ("", "0", "False", "off"):
        assert Settings.from_env({"DRY_RUN": off}) == Settings()
        assert len(problems({"DRY_RUN": off}, ["customerio"])) == 2
    # Half of them is a slip, whatever is sent.
    assert len(problems({"DRY_RUN": "1", "CUSTOMERIO_SITE_ID": "s"})) == 1


@pytest.mark.parametrize(
    ("environ", "field", "value"),
    [
        ({"REDIS_URL": "redis://h:1/0"}, "redis_url", "redis://h:1/0"),
        ({"REDIS_URL": "rediss://:pw@h"}, "redis_url", "rediss://:pw@h"),
        ({"REDIS_URL": " unix:///tmp/s\n"}, "redis_url", "unix:///tmp/s"),
        ({"REDIS_URL": "redis://h:1/"}, "redis_url", "redis://h:1/"),
        ({"REDIS_URL": "redis://h?db=3"}, "redis_url", "redis://h?db=3"),
        ({"REDIS_URL": "unix:///tmp/s?db=3"}, "redis_url", "unix:///tmp/s?db=3"),
        ({"REDIS_URL": "  "}, "redis_url", None),
        ({"REDIS_MAX_CONNECTIONS": "3"}, "redis_max_connections", 3),
        (
            {"SHOPIFY_WEBHOOK_SECRET": "a, b", "WOO_COMMERCE_WEBHOOK_SECRET": "c"},
            "secrets",
            {"shopify": ("a", "b"), "woo_commerce": ("c",)},
        ),
        ({"SHOPIFY_WEBHOOK_SECRET": ""}, "secrets", {}),
        ({"SHOPIFY_SHOPS": "A.myshopify.com,b.example"}, "shops",
         {"shopify": {"a.myshopify.com", "b.example"}}),
        ({"SHOPIFY_SHOPS": ""}, "shops", {}),
        ({"CUSTOMERIO_REGION": "EU"}, "customerio_region", "eu"),
        ({"CUSTOMERIO_REGION": "eu"}, "customerio_track_url", "https://track-eu.customer.io"),
        ({"CUSTOMERIO_TRACK_URL": "http://127.0.0.1:9/"}, "customerio_track_url",
         "http://127.0.0.1:9"),
        ({"MAPPINGS_DIR": "mappings"}, "mappings_dirs", (Path("mappings"),)),
        ({"IDENTIFY_BY": "email"}, "identify_by", "email"),
        ({"MAX_BODY_BYTES": "1024"}, "max_body_bytes", 1024),
        ({"PORT": "80"}, "port", 80),
        ({"WEB_CONCURRENCY": "4"}, "web_concurrency", 4),
        ({"LOG_LEVEL": "debug"}, "log_level", "DEBUG"),
        ({"RATE_LIMIT": ""}, "rate_limit", None),
        ({"RATE_LIMIT": "100"}, "rate_limit", 100.0),
        ({"RATE_LIMIT": " 0.5 "}, "rate_limit", 0.5),
        ({"RETENTION_HOURS": "1.5"}, "retention_hours", 1.5),
        ({"RETENTION_BYTES": "1048576"}, "retention_bytes", 1048576),
        ({"RETENTION_BYTES": "256MB"}, "retention_bytes", 256_000_000),
        ({"RETENTION_BYTES": "256mib"}, "retention_bytes", 268_435_456),
        ({"RETENTION_BYTES": "1 GiB"}, "retention_bytes", 2**30),
        ({"ADAPTER_DATA_DIR": "/data"}, "data_dir", Path("/data")),
    ],
)  # fmt: skip
def test_a_variable_is_read(environ, field, value, tmp_path, monkeypatch):
    (tmp_path / "mappings").mkdir()
    monkeypatch.chdir(tmp_path)
    assert getattr(Settings.from_env(environ), field) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("REDIS_URL", "localhost:6379", "must start with redis://"),
        ("REDIS_URL", "http://h", "must start with redis://"),
        ("REDIS_URL", "redis://", "must name a host"),
        ("REDIS_URL", "redis://h:99999", "must name a host"),
        ("REDIS_URL", "redis://[h", "must name a host"),
        ("REDIS_URL", "redis://h:6399/abc", "the number of a database"),
        ("REDIS_URL", "redis://h/0/1", "the number of a database"),
        ("REDIS_URL", "redis://h/?db=abc", "the number of a database"),
        ("REDIS_URL", "unix:///tmp/s?db=x", "the number of a database"),
        ("REDIS_URL", "redis://u:12/hush@h/0", "the number of a database"),
        ("REDIS_URL", "unix://", "must name a host"),
        ("REDIS_MAX_CONNECTIONS", "0", "whole number from 1 to 10000, not '0'"),
        ("PORT", "1e3", "whole number"),
        ("PORT", "٣", "whole number"),
        ("PORT", "1_000", "whole number"),
        ("PORT", "65536", "whole number"),
        ("PORT", "9" * 5000, "whole number"),
        ("MAX_BODY_BYTES", "8MB", "whole number"),
        ("WEB_CONCURRENCY", "null", "whole number"),
        ("SHOPIFY_WEBHOOK_SECRET", "hush,,b", "empty element"),
        ("SHOPIFY_WEBHOOK_SECRET", "hush,", "empty element"),
        ("SHOPIFY_SHOPS", ",", "empty element"),
        ("SHOPIFY_SHOPS", "https://a.myshopify.com", "bare shop domains"),
        ("SHOPIFY_SHOPS", "a.example b.example", "bare shop domains"),
        ("CUSTOMERIO_REGION", "de", "one of us, eu, not 'de'"),
        ("CUSTOMERIO_TRACK_URL", "track.customer.io", "http:// or https://"),
        ("CUSTOMERIO_TRACK_URL", "https://", "http:// or https://"),
        ("CUSTOMERIO_TRACK_URL", "https://a:hush@h", "without user"),
        ("CUSTOMERIO_TRACK_URL", "https://h?a=1", "query"),
        ("CUSTOMERIO_TRACK_URL", "http://h:x", "http:// or https://"),
        ("MAPPINGS_DIR", "/no/such/dir", "not a directory"),
        ("MAPPINGS_DIR", "/:/no/such/dir", "is not a directory"),
        ("MAPPINGS_DIR", ":", "names no directory"),
        ("IDENTIFY_BY", "phone", "one of id, email, not 'phone'"),
        ("DRY_RUN", "maybe", "one of on, 1, true, yes, off, 0, false, no, not 'maybe'"),
        ("RATE_LIMIT", "0", "a number above 0, not '0'"),
        ("RATE_LIMIT", "0.0", "a number above 0"),
        ("RATE_LIMIT", "-1", "a number above 0"),
        ("RATE_LIMIT", "inf", "a number above 0"),
        ("RATE_LIMIT", "1e3", "a number above 0"),
        ("RATE_LIMIT", "1,5", "a number above 0"),
        ("RATE_LIMIT", "٣", "a number above 0"),
        ("RETENTION_HOURS", "3d", "a number above 0, not '3d'"),
        ("RETENTION_BYTES", "0", "a number of bytes from 1024"),
        ("RETENTION_BYTES", "256 parsecs", "such as 268435456, 256MiB or 1GB"),
        ("RETENTION_BYTES", "1.5GB", "a number of bytes"),
        ("RETENTION_BYTES", "٣MB", "a number of bytes"),
        ("RETENTION_BYTES", "9" * 5000, "a number of bytes"),
        ("RETENTION_BYTES", "9999999GB", "a number of bytes"),
        ("LOG_LEVEL", "loud", "one of DEBUG, INFO"),
    ],
)
def test_a_malformed_variable_is_one_sentence(name, text, said):
    found = problems({name: text})
    assert len(found) == 1
    assert found[0].startswith(name)
    assert said in found[0]
    assert found[0].endswith(".")
    assert "hush" not in found[0]


@pytest.mark.parametrize(
    ("need", "environ", "named"),
    [
        (["redis"], {}, ["REDIS_URL"]),
        (["customerio"], {}, ["CUSTOMERIO_SITE_ID", "CUSTOMERIO_API_KEY"]),
        (["customerio"], {"CUSTOMERIO_SITE_ID": "s"}, ["CUSTOMERIO_API_KEY"]),
        ([], {"CUSTOMERIO_API_KEY": "k"}, ["CUSTOMERIO_SITE_ID"]),
        ([], {"CUSTOMERIO_SITE_ID": "a b", "CUSTOMERIO_API_KEY": "k"}, ["CUSTOMERIO_SITE_ID"]),
        (["secrets"], {}, ["SHOPIFY_WEBHOOK_SECRET"]),
        (["secrets"], {"SHOPIFY_WEBHOOK_SECRET": " "}, ["SHOPIFY_WEBHOOK_SECRET"]),
        (
            ["secrets"],
            {"SHOPIFY_WEBHOOK_SECRET": "a", "SHOPFIY_SHOPS": "b"},
            ["SHOPFIY_SHOPS is set, but SHOPFIY_WEBHOOK_SECRET is not."],
        ),
    ],
)
def test_what_is_needed_and_missing_is_named(need, environ, named):
    found = problems(environ, need)
    assert len(found) == len(named)
    for problem, name in zip(found, named, strict=True):
        assert name in problem


def test_all_problems_are_told_at_once():
    environ = {"PORT": "x", "LOG_LEVEL": "x", "CUSTOMERIO_REGION": "x", "A_WEBHOOK_SECRET": ","}
    assert len(problems(environ, ["redis", "customerio", "secrets"])) == 7


def test_an_unknown_need_is_a_mistake_in_the_code():
    with pytest.raises(ValueError, match="unknown needs: reids"):
        Settings.from_env({}, need=["reids"])


def test_secrets_stay_out_of_the_repr():
    settings = Settings.from_env(
        {
            "REDIS_URL": "redis://:hush1@h",
            "SHOPIFY_WEBHOOK_SECRET": "hush2",
            "CUSTOMERIO_SITE_ID": "hush3",
            "CUSTOMERIO_API_KEY": "hush4",
        },
        need=["redis", "customerio", "secrets"],
    )
    assert "hush" not in repr(settings)
    assert settings.secrets["shopify"] == ("hush2",)


def test_every_listed_default_is_the_one_in_force():
    plain = {v.name: v.default for v in VARIABLES if "<" not in v.name}
    assert Settings.from_env({name: text for name, text in plain.items() if text}) == Settings()
    assert all(v.meaning for v in VARIABLES)


def test_every_variable_that_is_read_is_listed():
    class Spy(dict):
        def __init__(self):
            super().__init__({"X_SHOPS": "", "X_WEBHOOK_SECRET": ""})
            self.read = set()

        def get(self, name, default=None):
            self.read.add(re.sub("^X_", "<PLATFORM>_", name))
            return super().get(name, default)

    spy = Spy()
    Settings.from_env(spy)
    assert spy.read == {v.name for v in VARIABLES}


def test_shipped_is_the_checkout_and_in_a_wheel_its_own(tmp_path, monkeypatch):
    assert shipped("mappings") == Path(__file__).resolve().parent.parent / "mappings"
    inside = tmp_path / "adapter" / "_shipped" / "fixtures"
    inside.mkdir(parents=True)
    (tmp_path / "fixtures").mkdir()
    monkeypatch.setattr("adapter.settings.__file__", str(tmp_path / "adapter" / "settings.py"))
    assert shipped("fixtures") == inside
