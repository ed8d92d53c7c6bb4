-- A service's own database: its event store (which is also its outbox), its inbox, its work lists.

CREATE TABLE identity (
    service    text PRIMARY KEY,
    topic      text NOT NULL,
    partitions integer NOT NULL,
    registry   text NOT NULL
);

-- A lane is one partition of the service's topic; head is the last number given in it.
CREATE TABLE lanes (
    lane integer PRIMARY KEY,
    head bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE events (
    lane           integer NOT NULL,
    pseq           bigint NOT NULL,
    id             uuid NOT NULL,
    stream_id      text NOT NULL,
    version        bigint NOT NULL,
    type           text NOT NULL,
    schema_version integer NOT NULL,
    data           bytea NOT NULL,
    recorded_at    bigint NOT NULL,
    cause          uuid NOT NULL,
    correlation    uuid NOT NULL,
    trace          text NOT NULL,
    PRIMARY KEY (lane, pseq),
    UNIQUE (stream_id, version)
);

-- The folded state of each stream at state_version, by the fold that made it; notes count what is parked.
CREATE TABLE streams (
    stream_id     text PRIMARY KEY,
    version       bigint NOT NULL,
    state         bytea,
    state_version bigint NOT NULL DEFAULT 0,
    fold          text NOT NULL DEFAULT '',
    notes         bytea NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE positions (
    consumer    text NOT NULL,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    last_pseq   bigint NOT NULL DEFAULT 0,
    last_id     uuid,
    epoch       bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE inbox (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider    text NOT NULL,
    account     text NOT NULL,
    key         text NOT NULL,
    topic       text NOT NULL,
    received_at bigint NOT NULL,
    body        bytea,
    trace       text NOT NULL,
    state       text NOT NULL DEFAULT 'received',
    reason      text,
    finished    integer NOT NULL DEFAULT 0,
    deliveries  integer NOT NULL DEFAULT 1,
    UNIQUE (provider, account, key)
) WITH (fillfactor = 80);
CREATE INDEX inbox_open ON inbox (seq) WHERE state = 'received';

CREATE TABLE commands (
    key          text PRIMARY KEY,
    request_hash bytea NOT NULL,
    reply        bytea NOT NULL,
    at           bigint NOT NULL
);

CREATE TABLE timers (
    id      text PRIMARY KEY,
    due     bigint NOT NULL,
    stream  text NOT NULL,
    command bytea NOT NULL,
    done_at bigint
);
CREATE INDEX timers_open ON timers (due) WHERE done_at IS NULL;

-- planned → in-flight (attempt, lease) → confirmed | rejected | unknown → reconciled; suppressed is never done.
CREATE TABLE effects (
    id         text PRIMARY KEY,
    kind       text NOT NULL,
    stream     text NOT NULL,
    request    bytea NOT NULL,
    state      text NOT NULL DEFAULT 'planned',
    attempt    integer NOT NULL DEFAULT 0,
    token      bigint NOT NULL DEFAULT 0,
    lease_till bigint NOT NULL DEFAULT 0,
    next_at    bigint NOT NULL DEFAULT 0,
    planned_at bigint NOT NULL,
    last_error text
);
CREATE INDEX effects_open ON effects (next_at) WHERE state IN ('planned', 'in-flight', 'unknown');

CREATE TABLE parked (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          text NOT NULL UNIQUE,
    stream      text NOT NULL,
    source      text NOT NULL,
    input_id    text NOT NULL,
    work        integer NOT NULL,
    code        text NOT NULL,
    detail      text NOT NULL,
    fingerprint text NOT NULL,
    at          bigint NOT NULL,
    command     bytea,
    raw         bytea,
    cause       uuid NOT NULL,
    correlation uuid NOT NULL,
    trace       text NOT NULL
);
CREATE INDEX parked_queue ON parked (stream, source, seq);
