-- What a scrape counts of effects is found without reading the finished ones.
CREATE INDEX CONCURRENTLY effects_waiting ON effects (state)
    WHERE state IN ('planned', 'in-flight', 'unknown', 'queued');
