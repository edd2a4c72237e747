"""Holds the symbols of a list that rose most: `plugins/momentum` in Python.

In `book.toml`:

    [[strategy]]
    name = "strongest-two"
    plugin = "momentum-python"
    weight = 0.25
    parameters = { symbols = ["AAPL", "MSFT", "XOM", "JNJ"], lookback = 126, top = 2 }
"""

# Modules are imported here: at run time there are no files to import from.
import functools
import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.evaluator import Requirement, Weight
from wit_world.imports import explain, log, market
from wit_world.imports.types import Error

DEFAULTS = {"lookback": 126, "top": 3}


def telling(function):
    """A defect ends the plugin, and there is no console: its last words go to
    the log, in the form from which the host makes the error that people read."""

    @functools.wraps(function)
    def told(*arguments):
        try:
            return function(*arguments)
        except Err:
            raise  # an answer, not a defect
        except Exception as defect:
            at = defect.__traceback__
            while at.tb_next:
                at = at.tb_next
            place = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}"
            log.write(log.Level.ERROR, f"panicked at {place}:\n{defect!r}")
            raise

    return told


def refuse(key: str, message: str) -> Err:
    """An error about a parameter: `raise` it."""
    return Err(Error("ParameterError", message, None, None, None, None, None, key))


def whole_number(parameters: dict, key: str, highest: int, meaning: str = "") -> int:
    value = parameters[key]
    # In Python `true` is a number as well.
    if not isinstance(value, int) or isinstance(value, bool):
        raise refuse(key, f"`{key}` is a whole number")
    if not 1 <= value <= highest:
        raise refuse(key, f"`{key}` is {value}, and must be from 1 to {highest}{meaning}")
    return value


class Evaluator(exports.Evaluator):
    """What the host looks for: the exported interface `evaluator`."""

    @telling
    def load(self, parameters: str, files: list[tuple[str, bytes]]) -> "Strategy":
        if files:
            raise refuse("file", "this strategy reads no file")
        given = json.loads(parameters)
        known = ["symbols", *DEFAULTS]
        for key in given:
            # A misspelt key is an error, not a default.
            if key not in known:
                raise refuse(key, f"unknown key `{key}`, expected one of {', '.join(known)}")
        return Strategy(DEFAULTS | given)


class Strategy(exports.evaluator.Strategy):
    def __init__(self, parameters: dict):
        symbols = parameters.get("symbols")
        if not isinstance(symbols, list) or not all(isinstance(s, str) for s in symbols):
            raise refuse("symbols", "`symbols` is a list of names: what may be held")
        if not symbols:
            raise refuse("symbols", "`symbols` is empty; name what may be held")
        for index, symbol in enumerate(symbols):
            if symbol.upper() in (other.upper() for other in symbols[:index]):
                raise refuse("symbols", f"`symbols` names `{symbol}` twice")
        self.symbols = symbols
        self.lookback = whole_number(parameters, "lookback", 10_000)
        self.top = whole_number(parameters, "top", len(symbols), ", all symbols")

    # The host fetches these prices before the first evaluation. A return over
    # n sessions needs n + 1 closes.
    def requirements(self) -> list[Requirement]:
        return [Requirement(symbol, self.lookback + 1) for symbol in self.symbols]

    # Whatever the market cannot answer, such as too short a history, is raised
    # as an `Err`. Nobody catches it here: nothing is traded, and the host tells why.
    @telling
    def evaluate(self, as_of: int) -> list[Weight]:
        ranking = []
        for symbol in self.symbols:
            handle = market.find(symbol)
            series = market.indicator("cumulative-return", handle, self.lookback)
            ranking.append(explain.Score(symbol, market.value(series, as_of)))
        # Largest first. The sort is stable: of equals, the one listed first.
        ranking.sort(key=lambda score: score.value, reverse=True)

        # Those after the first that did not rise did not rise either.
        chosen = [score for score in ranking if score.value > 0][: self.top]

        if explain.wanted():
            text = f"top {self.top} of those that rose over {self.lookback} sessions"
            explain.selection(0, None, text, ranking, len(chosen))

        # Each place is an equal share; a place that nothing fills stays cash.
        return [Weight(score.name, 1 / self.top) for score in chosen]
