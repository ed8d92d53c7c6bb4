-- What time concerns is found by its time: a sweep reads what is due, not all that is kept.
-- A delivery is in one of the first two: while it has a body, and behind that.
CREATE INDEX CONCURRENTLY inbox_bodies ON inbox (received_at) WHERE body IS NOT NULL;
CREATE INDEX CONCURRENTLY inbox_bare ON inbox (received_at) WHERE body IS NULL;
CREATE INDEX CONCURRENTLY inbox_parked ON inbox (seq) WHERE state = 'parked';
CREATE INDEX CONCURRENTLY commands_by_time ON commands (at);
CREATE INDEX CONCURRENTLY timers_done ON timers (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX CONCURRENTLY effects_ended ON effects (planned_at)
    WHERE state IN ('confirmed', 'rejected', 'reconciled', 'suppressed');
