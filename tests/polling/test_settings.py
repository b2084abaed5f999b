import pytest

from aggregator.config import load_config
from aggregator.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('allow_networks = ["10.0.0.0/33"]', "allow_networks"),
        ('allow_networks = ["10.0.0.1/8"]', "host bits"),
        ('proxy = "proxy.example:3128"', "proxy"),
        ('proxy = "socks5://proxy.example"', "proxy"),
    ],
)
def test_settings_that_cannot_be_used_are_errors_of_the_configuration(tmp_path, line, says):
    """A network or proxy that cannot be read is named with its file and table, before anything is fetched."""
    path = tmp_path / "aggregator.toml"
    path.write_text(f"[fetching]\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=says) as error:
        load_config(path)
    assert str(path) in str(error.value)
    assert "[fetching]" in str(error.value)


def test_networks_and_a_proxy_are_read(tmp_path):
    """What is written as documented is taken."""
    path = tmp_path / "aggregator.toml"
    path.write_text(
        '[fetching]\nallow_networks = ["10.0.0.0/8", "::1"]\nproxy = "http://u:p@proxy.example:3128"\n',
        encoding="utf-8",
    )
    assert load_config(path).fetching.allow_networks == ("10.0.0.0/8", "::1")
