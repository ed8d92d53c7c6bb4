-- Deliveries that were given up before a discard ended them: nobody can reach them any more.
UPDATE inbox i SET state = 'ignored', reason = 'discarded', finished = finished + 1
WHERE state = 'parked' AND NOT EXISTS (
    SELECT 1 FROM parked p WHERE p.input_id = 'inbox/' || i.provider || '/' || i.account || '/' || i.key
);
