-- Version 1.
--
-- Instants are microseconds since 1970 by the system clock, but for
-- events.timestamp and workflows.clock, which are by the workflow's clock.
-- Exact decimals are text.

-- The archive: every event that was ever published, as it was published.
-- Long columns come last, so that lists do not have to read past them.
CREATE TABLE events (
    position       INTEGER PRIMARY KEY,       -- order of arrival
    event_id       TEXT    NOT NULL UNIQUE,
    correlation_id TEXT    NOT NULL,
    sequence       INTEGER NOT NULL,
    type           TEXT    NOT NULL,
    source         TEXT    NOT NULL,
    timestamp      INTEGER NOT NULL,
    stored_at      INTEGER NOT NULL,
    body           TEXT    NOT NULL           -- the very bytes
) STRICT;

CREATE INDEX events_of_workflow ON events (correlation_id, sequence);
CREATE INDEX events_of_type ON events (type, correlation_id, sequence);
CREATE INDEX events_by_time ON events (stored_at);

-- One event on its way to one target. Keyed by the event's position, which
-- keeps rows that are worked on together in one place.
CREATE TABLE deliveries (
    event            INTEGER NOT NULL REFERENCES events (position),
    target           TEXT    NOT NULL,
    rule             TEXT    NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('pending', 'claimed', 'done', 'dead')),
    routed_at        INTEGER NOT NULL,            -- when it was sent, redriven or replayed
    replay           TEXT,                        -- the replay that sent it
    attempts         INTEGER NOT NULL DEFAULT 0,
    failures         INTEGER NOT NULL DEFAULT 0,
    generation       INTEGER NOT NULL DEFAULT 0,
    token            INTEGER NOT NULL DEFAULT 0,  -- counts claims and is never set back
    due_at           INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL,            -- when the state was entered
    owner            TEXT,
    lease_until      INTEGER,
    first_attempt_at INTEGER,
    started_at       INTEGER,                     -- of the last attempt
    ended_at         INTEGER,                     -- of the last attempt that ended
    remark           TEXT,
    error            TEXT,                        -- of the last attempt that failed
    PRIMARY KEY (event, target),
    CHECK ((state = 'claimed') = (owner IS NOT NULL)),
    CHECK ((state = 'claimed') = (lease_until IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Both hold open deliveries only, so they stay small however large the archive.
CREATE INDEX deliveries_pending ON deliveries (due_at, changed_at) WHERE state = 'pending';
CREATE INDEX deliveries_claimed ON deliveries (owner, lease_until) WHERE state = 'claimed';

-- So that events can be found by what became of them.
CREATE INDEX deliveries_of_rule ON deliveries (rule, event);
CREATE INDEX deliveries_failed ON deliveries (event) WHERE failures > 0;

CREATE TABLE dead_letters (
    letter           INTEGER PRIMARY KEY,
    event            INTEGER NOT NULL REFERENCES events (position),
    target           TEXT    NOT NULL,
    generation       INTEGER NOT NULL,
    rule             TEXT    NOT NULL,
    attempts         INTEGER NOT NULL,
    first_attempt_at INTEGER NOT NULL,
    died_at          INTEGER NOT NULL,
    settled_at       INTEGER,                     -- when it was redriven or dropped
    settled          TEXT CHECK (settled IN ('redriven', 'dropped')),
    error            TEXT    NOT NULL,
    UNIQUE (event, target, generation),
    CHECK ((settled IS NULL) = (settled_at IS NULL))
) STRICT;

-- Those that somebody has to look at.
CREATE INDEX dead_letters_open ON dead_letters (letter) WHERE settled IS NULL;

CREATE TABLE workflows (
    position       INTEGER PRIMARY KEY,       -- order of arrival
    correlation_id TEXT    NOT NULL UNIQUE,
    account        TEXT    NOT NULL,
    slot           TEXT    NOT NULL,
    rerun          INTEGER NOT NULL,
    clock          INTEGER NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN
        ('started', 'signals', 'planned', 'executing', 'completed', 'failed', 'timed_out')),
    orders_sent    INTEGER NOT NULL CHECK (orders_sent IN (0, 1)),
    created_at     INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    configuration  TEXT    NOT NULL
) STRICT;

CREATE INDEX workflows_of_account ON workflows (account);
CREATE INDEX workflows_in_state ON workflows (state);

-- What the schedules of routes.toml that are in force did last.
CREATE TABLE schedules (
    name       TEXT    PRIMARY KEY,
    expression TEXT    NOT NULL,
    time_zone  TEXT    NOT NULL,
    since      INTEGER NOT NULL,              -- when it was first seen; rates count from here
    until      INTEGER NOT NULL,              -- no time up to here is due any more
    at         INTEGER,                       -- the last time that came
    outcome    TEXT CHECK (outcome IN ('started', 'started-before', 'skipped', 'refused', 'missed')),
    settled_at INTEGER,
    detail     TEXT,
    CHECK ((at IS NULL) = (outcome IS NULL)),
    CHECK ((at IS NULL) = (settled_at IS NULL))
) STRICT, WITHOUT ROWID;

-- What was traded, and for whom.
CREATE TABLE ledger (
    position        INTEGER PRIMARY KEY,      -- order of arrival
    client_order_id TEXT    NOT NULL UNIQUE,
    correlation_id  TEXT    NOT NULL,
    plan_id         TEXT    NOT NULL,
    symbol          TEXT    NOT NULL,
    recorded_at     INTEGER NOT NULL,
    entry           TEXT    NOT NULL
) STRICT;

CREATE INDEX ledger_of_workflow ON ledger (correlation_id);

-- The simulated broker.
CREATE TABLE paper_accounts (
    account       TEXT    PRIMARY KEY,
    starting_cash TEXT    NOT NULL,
    cash          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE paper_positions (
    account  TEXT NOT NULL REFERENCES paper_accounts (account),
    symbol   TEXT NOT NULL,
    quantity TEXT NOT NULL,
    PRIMARY KEY (account, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE paper_orders (
    position        INTEGER PRIMARY KEY,      -- order of arrival
    account         TEXT    NOT NULL REFERENCES paper_accounts (account),
    client_order_id TEXT    NOT NULL,
    placed_at       INTEGER NOT NULL,
    body            TEXT    NOT NULL,         -- the order as the broker answered it
    UNIQUE (account, client_order_id)
) STRICT;
