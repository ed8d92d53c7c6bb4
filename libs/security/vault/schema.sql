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
-- Only the law's keys of erased subjects have a date. A contact key of theirs was made behind the
-- erasure, by a release that left no empty row where there was no key yet.
UPDATE subject_keys AS late SET wrapped = NULL, shredded_at = now()
    FROM subject_keys AS law
    WHERE law.subject = late.subject AND law.clearance = 'statutory'
        AND law.retained_until IS NOT NULL AND law.wrapped IS NOT NULL
        AND late.clearance = 'contact' AND late.wrapped IS NOT NULL;
