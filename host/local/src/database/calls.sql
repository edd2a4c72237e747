-- Version 2.

-- The plugins that were asked while a delivery was handled, as the attempt that
-- took the step asked them. Times are by the system clock.
CREATE TABLE plugin_calls (
    event     INTEGER NOT NULL REFERENCES events (position),
    target    TEXT    NOT NULL,
    ordinal   INTEGER NOT NULL,               -- in the order of the book
    plugin    TEXT    NOT NULL,
    sha256    TEXT    NOT NULL,               -- of the build
    called_at INTEGER NOT NULL,               -- when the step was committed
    duration  INTEGER NOT NULL,               -- microseconds
    PRIMARY KEY (event, target, ordinal)
) STRICT, WITHOUT ROWID;

-- Each build's calls in the order of time.
CREATE INDEX plugin_calls_of_build ON plugin_calls (plugin, sha256, called_at, duration);
