-- Data keys, wrapped. A shredded key leaves its row: the subject's values are gone, and that is known.
CREATE TABLE IF NOT EXISTS subject_keys (
    subject        text NOT NULL,
    clearance      text NOT NULL,
    key_id         text NOT NULL UNIQUE,
    wrapped        bytea,
    kek_id         text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    shredded_at    timestamptz,
    retained_until timestamptz,
    PRIMARY KEY (subject, clearance)
);
-- Few keys have a date, those of erased subjects, and few are of a day: thirty for each service.
-- Without these, each hour would read the table.
CREATE INDEX CONCURRENTLY subject_keys_retained ON subject_keys (retained_until)
    WHERE retained_until IS NOT NULL AND wrapped IS NOT NULL;
CREATE INDEX CONCURRENTLY subject_keys_days ON subject_keys (subject)
    WHERE clearance = 'inbox' AND wrapped IS NOT NULL;
