"""Holds the strategies in other languages to what the one in Rust answers."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALCHEMISER = ROOT / "target/release/alchemiser"
PLUGINS = ROOT / "target/examples/plugins"
RUST, OTHERS = "momentum", ["momentum-python", "momentum-javascript"]

SHIPPED = {
    "symbols": ["AAPL", "MSFT", "JNJ", "JPM", "XOM", "WMT", "LLY", "UNH"],
    "lookback": 126,
    "top": 3,
}
# From before there is enough history to the last bundled session; falling
# markets, in which places stay empty; all defaults; every place filled.
QUESTIONS = [
    (SHIPPED, "2014-01-02", "2022-12-28"),
    (SHIPPED | {"lookback": 21, "top": 8}, "2015-01-02", "2016-12-30"),
    ({"symbols": ["SP500", "XOM", "KO", "PG"]}, "2020-01-02", "2020-12-31"),
    ({"symbols": ["NVDA"], "lookback": 1, "top": 1}, "2022-01-03", "2022-12-28"),
    ({"symbols": ["AAPL", "NOTHING"], "top": 1}, "2022-12-27", "2022-12-28"),
]
# The key that the error must name.
REFUSED = [
    ({}, "symbols"),
    ({"symbols": "AAPL"}, "symbols"),
    ({"symbols": [1]}, "symbols"),
    ({"symbols": []}, "symbols"),
    ({"symbols": ["A", "B", "a"]}, "symbols"),
    ({"symbols": ["A"], "lookback": 0, "top": 1}, "lookback"),
    ({"symbols": ["A"], "lookback": 10_001, "top": 1}, "lookback"),
    ({"symbols": ["A"], "lookback": 1.5, "top": 1}, "lookback"),
    ({"symbols": ["A"], "lookback": True, "top": 1}, "lookback"),
    ({"symbols": ["A"], "top": 2}, "top"),
    ({"symbols": ["A"], "top": "1"}, "top"),
    ({"symbols": ["A"], "lookbak": 1}, "lookbak"),
]


def answers(plugin: str, parameters: dict, start: str, end: str) -> list[dict]:
    """One line for each session, without what tells the plugins apart."""
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder, "book.toml")
        entry = {"name": "asked", "plugin": plugin, "weight": 1}
        lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
        lines += ["[strategy.parameters]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in parameters.items()]
        book.write_text("[[strategy]]\n" + "\n".join(lines) + "\n")
        environment = os.environ | {
            "STRATEGY__BOOK": str(book),
            "PLUGINS__DIRECTORY": str(PLUGINS),
            "SANDBOX__PLUGIN__MOMENTUM-PYTHON__PROFILE": "interpreter",
        }
        command = [ALCHEMISER, "evaluate", "asked", "--from", start, "--to", end]
        command += ["--json", "--explain", "--project", ROOT]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if not lines or "date" not in lines[0]:
        raise SystemExit(f"{plugin}: {done.stdout}{done.stderr}")
    for line in lines:
        for key in ("plugin", "sha256", "interface"):
            line.get("error", {}).pop(key, None)
    return lines


def main():
    shutil.copy(ROOT / "target/plugins/momentum.wasm", PLUGINS)
    compared = 0
    for question in QUESTIONS:
        expected = answers(RUST, *question)
        for other in OTHERS:
            for mine, theirs in zip(expected, answers(other, *question), strict=True):
                assert mine == theirs, f"{other}, {question[0]}:\n{mine}\n{theirs}"
                compared += 1
    for parameters, key in REFUSED:
        for other in OTHERS:
            [line] = answers(other, parameters, "2022-12-28", "2022-12-28")
            error = line["error"]
            named = (error["class"], error.get("what"))
            assert named == ("ParameterError", key), f"{other}, {parameters}: {error}"
            assert f"`{key}`" in error["message"], error
            compared += 1
    print(f"{compared} answers are those of the strategy in Rust, and refusals name their key")


main()
