"""The units and scripts of systemd/, as far as they can be looked at without booting; `make test-systemd` boots them."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted((ROOT / "systemd").glob("*.service"))


def unit(path):
    """The unit's sections; a key that stands twice has its last value."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(path)
    return parser


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_the_units_are_confined(path):
    """`systemd-analyze security` gives each at most 1.5, of 10."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Unknown option" in done.stderr or "unrecognized option" in done.stderr:
        pytest.skip("this systemd cannot look at files")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_the_units_run_commands_that_exist(path):
    """ExecStart names the installed program and a command of it."""
    from aggregator.cli.main import cli

    words = unit(path)["Service"]["ExecStart"].split()
    assert words[0] == "/opt/aggregator/current/bin/aggregator"
    assert words[1] in cli.commands


def test_readers_of_the_group_are_let_in():
    """The folder is 0750 and files are the group's to read: with DynamicUser nobody else could enter."""
    service = unit(ROOT / "systemd/aggregator.service")["Service"]
    assert (service["StateDirectoryMode"], service["UMask"]) == ("0750", "0027")
    assert "DynamicUser" not in service
    assert (service["Type"], service["User"], service["Group"]) == ("notify", "aggregator", "aggregator")


@pytest.mark.parametrize("name", ["install.sh", "uninstall.sh", "test.sh"])
def test_the_scripts_are_whole(name):
    """Bash can read them to the end; they may be run."""
    path = ROOT / "systemd" / name
    assert path.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", path], capture_output=True, check=False).returncode == 0


def test_what_is_installed_is_taken_away():
    """Every file that install.sh puts outside /etc/aggregator and /var/lib is named in uninstall.sh too."""
    install, uninstall = ((ROOT / "systemd" / f"{name}.sh").read_text() for name in ("install", "uninstall"))
    for place in (
        "/etc/sysusers.d/aggregator.conf",
        "/usr/local/bin/aggregator",
        "/opt/aggregator",
        "10-notify-reload.conf",
    ):
        assert place in install
        assert place in uninstall
    for path in (ROOT / "systemd").glob("aggregator*.*"):
        if path.suffix in (".service", ".timer"):
            assert path.name in install
    assert not re.search(r"rm .*(/var/lib|/etc/aggregator)", uninstall)
