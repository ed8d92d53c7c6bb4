-- How many inputs of a partition have taken effect, ever: the one number of a position that only
-- grows. Offsets stand still behind a gap and begin anew in a topic that was made again.
ALTER TABLE positions ADD COLUMN applied bigint NOT NULL DEFAULT 0;
