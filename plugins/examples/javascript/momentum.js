// Holds the symbols of a list that rose most: `plugins/momentum` in JavaScript.
//
// In `book.toml`:
//
//     [[strategy]]
//     name = "strongest-two"
//     plugin = "momentum-javascript"
//     weight = 0.25
//     parameters = { symbols = ["AAPL", "MSFT", "XOM", "JNJ"], lookback = 126, top = 2 }

import * as market from "alchemiser:plugin/market@1.1.0";
import * as explain from "alchemiser:plugin/explain@1.1.0";
import * as log from "alchemiser:plugin/log@1.1.0";

const DEFAULTS = { lookback: 126, top: 3 };
const KEYS = ["symbols", ...Object.keys(DEFAULTS)];

// A defect ends the plugin, and there is no console: its last words go to the
// log, in the form from which the host makes the error that people read. What
// the host or `refuse` threw is an answer: it has a payload, or is no `Error`.
function telling(action) {
  try {
    return action();
  } catch (thrown) {
    if (thrown instanceof Error && !("payload" in thrown)) {
      const [place] = thrown.stack.split("\n");
      log.write("error", `panicked at ${place}:\n${thrown}`);
    }
    throw thrown;
  }
}

// An error about a parameter.
function refuse(key, message) {
  throw { class: "ParameterError", message, what: key };
}

function wholeNumber(parameters, key, highest, meaning = "") {
  const value = parameters[key];
  if (!Number.isInteger(value)) {
    refuse(key, `\`${key}\` is a whole number`);
  }
  if (value < 1 || value > highest) {
    refuse(key, `\`${key}\` is ${value}, and must be from 1 to ${highest}${meaning}`);
  }
  return value;
}

class Strategy {
  constructor(parameters) {
    const { symbols } = parameters;
    if (!Array.isArray(symbols) || !symbols.every((symbol) => typeof symbol === "string")) {
      refuse("symbols", "`symbols` is a list of names: what may be held");
    }
    if (symbols.length === 0) {
      refuse("symbols", "`symbols` is empty; name what may be held");
    }
    symbols.forEach((symbol, index) => {
      const isSame = (other) => other.toUpperCase() === symbol.toUpperCase();
      if (symbols.slice(0, index).some(isSame)) {
        refuse("symbols", `\`symbols\` names \`${symbol}\` twice`);
      }
    });
    this.symbols = symbols;
    this.lookback = wholeNumber(parameters, "lookback", 10_000);
    this.top = wholeNumber(parameters, "top", symbols.length, ", all symbols");
  }

  // The host fetches these prices before the first evaluation. A return over
  // n sessions needs n + 1 closes.
  requirements() {
    return this.symbols.map((symbol) => ({ symbol, sessions: this.lookback + 1 }));
  }

  // Whatever the market cannot answer, such as too short a history, is thrown.
  // Nobody catches it here: nothing is traded, and the host tells why.
  evaluate(asOf) {
    return telling(() => this.weights(asOf));
  }

  weights(asOf) {
    const ranking = this.symbols.map((name) => {
      const series = market.indicator("cumulative-return", market.find(name), this.lookback);
      return { name, value: market.value(series, asOf) };
    });
    // Largest first. The sort is stable: of equals, the one listed first.
    ranking.sort((left, right) => right.value - left.value);

    const rising = ranking.filter((score) => score.value > 0);
    const chosen = rising.slice(0, this.top);

    if (explain.wanted()) {
      const text = `top ${this.top} of those that rose over ${this.lookback} sessions`;
      explain.selection(0, undefined, text, ranking, chosen.length);
    }

    // Each place is an equal share; a place that nothing fills stays cash.
    return chosen.map(({ name }) => ({ symbol: name, weight: 1 / this.top }));
  }
}

// What the host looks for: the exported interface `evaluator`.
export const evaluator = {
  Strategy,

  load(parameters, files) {
    return telling(() => {
      if (files.length > 0) {
        refuse("file", "this strategy reads no file");
      }
      const given = JSON.parse(parameters);
      for (const key of Object.keys(given)) {
        // A misspelt key is an error, not a default.
        if (!KEYS.includes(key)) {
          refuse(key, `unknown key \`${key}\`, expected one of ${KEYS.join(", ")}`);
        }
      }
      return new Strategy({ ...DEFAULTS, ...given });
    });
  },
};
