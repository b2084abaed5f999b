import json
import subprocess
import sys
import threading
from pathlib import Path

from .conftest import SPECS, make_item

FOLLOW = Path(__file__).resolve().parents[2] / "examples/follow.py"


def seqs(output):
    """The numbers of the whole lines."""
    lines = output.read_bytes().rpartition(b"\n")[0].splitlines() if output.exists() else []
    return [json.loads(line)["seq"] for line in lines]


def test_follow_resumes_exactly_after_kill_9(desk, tmp_path):
    """Killed again and again while the daemon writes, the example has every change once, in order, at the end."""
    stop = threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            desk.poll(SPECS[n % 5].url, *(make_item(f"{n}-{k}", f"Item {n} {k}") for k in range(20)))
            n += 1

    output = tmp_path / "out.jsonl"
    command = [sys.executable, FOLLOW, desk.writer.path, output]
    thread = threading.Thread(target=write)
    thread.start()
    try:
        for n in range(6):
            before = len(seqs(output))
            child = subprocess.Popen(command)
            while child.poll() is None and len(seqs(output)) == before:
                threading.Event().wait(0.002 * n)
            child.kill()
            child.wait()
    finally:
        stop.set()
        thread.join()
    subprocess.run([*command, "--once"], check=True)
    expected = [r[0] for r in desk.writer.rows("SELECT seq FROM changes ORDER BY seq")]
    assert seqs(output) == expected
    assert len(expected) > 100


def test_follow_mends_half_a_line(desk, tmp_path):
    """Half a line, as a kill in the middle of a write leaves it, is written anew and not kept."""
    output = tmp_path / "out.jsonl"
    command = [sys.executable, FOLLOW, desk.writer.path, output, "--once"]
    desk.poll(SPECS[0].url, make_item(1, "One"))
    subprocess.run(command, check=True)
    whole = output.read_bytes()
    for cut in (1, 30, len(whole) - 3):
        output.write_bytes(whole[:-cut])
        subprocess.run(command, check=True)
        assert output.read_bytes() == whole


def test_follow_is_short():
    """The example stays an example: twenty lines of code at most, and nothing but the standard library."""
    lines = FOLLOW.read_text(encoding="utf-8").split('"""')[2].splitlines()
    code = [line for line in lines if line.strip()]
    assert len(code) <= 25
    imported = {line.split()[1] for line in code if line.startswith("import ")}
    assert imported <= set(sys.stdlib_module_names)
