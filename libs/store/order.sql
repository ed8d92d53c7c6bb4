-- What is open is found in the order in which it is taken: however much waits, a look reads what it takes.
CREATE INDEX CONCURRENTLY effects_open_in_order ON effects (kind, next_at, id)
    WHERE state IN ('planned', 'in-flight', 'unknown');
CREATE INDEX CONCURRENTLY timers_open_in_order ON timers (due, id) WHERE done_at IS NULL;
DROP INDEX effects_open;
ALTER INDEX effects_open_in_order RENAME TO effects_open;
DROP INDEX timers_open;
ALTER INDEX timers_open_in_order RENAME TO timers_open;
