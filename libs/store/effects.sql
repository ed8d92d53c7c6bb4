-- Effects remember since when an attempt may have taken effect; services, when they first started.
-- What is planned carries the story that it belongs to.
ALTER TABLE effects
    ADD COLUMN doubt_since bigint NOT NULL DEFAULT 0,
    ADD COLUMN cause text NOT NULL DEFAULT '',
    ADD COLUMN correlation text NOT NULL DEFAULT '',
    ADD COLUMN trace text NOT NULL DEFAULT '';
ALTER TABLE timers
    ADD COLUMN cause text NOT NULL DEFAULT '',
    ADD COLUMN correlation text NOT NULL DEFAULT '',
    ADD COLUMN trace text NOT NULL DEFAULT '';
ALTER TABLE parked ADD COLUMN history boolean NOT NULL DEFAULT false;

CREATE TABLE starts (
    consumer text PRIMARY KEY,
    at       bigint NOT NULL
);
