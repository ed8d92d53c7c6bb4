-- What is open is found in the order in which it is taken: however much waits, a look reads what it takes.
DROP INDEX effects_open;
CREATE INDEX effects_open ON effects (kind, next_at, id) WHERE state IN ('planned', 'in-flight', 'unknown');
DROP INDEX timers_open;
CREATE INDEX timers_open ON timers (due, id) WHERE done_at IS NULL;
