-- The commit of a turn, as one statement. Locks are taken in one order by every transaction of a
-- service: positions, command and inbox keys, stream heads, effect and timer rows, lanes.
-- LJ001: a position belongs to a newer epoch. LJ002, or a key of `streams` twice: a head has moved
-- (also one that was only read: that nothing was to be done is a decision as well).
-- LJ003, or a key of `commands` twice: an input has already taken effect. Each undoes the whole commit.
CREATE OR REPLACE FUNCTION commit_turn(
    p_consumer text[], p_topic text[], p_partition integer[], p_epoch bigint[],
    p_offset bigint[], p_pseq bigint[], p_id text[], p_applied bigint[],
    c_key text[], c_hash bytea[], c_reply bytea[],
    i_seq bigint[], i_state text[], i_reason text[],
    h_stream text[], h_expected bigint[], h_version bigint[], h_state bytea[], h_fold text[], h_notes bytea[],
    v_stream text[], v_version bigint[],
    t_id text[], t_due bigint[], t_stream text[], t_command bytea[],
    t_cause text[], t_correlation text[], t_trace text[], t_done text[],
    f_id text[], f_kind text[], f_stream text[], f_request bytea[], f_state text[],
    f_cause text[], f_correlation text[], f_trace text[],
    r_id text[], r_token bigint[], r_state text[], r_next bigint[], r_doubt boolean[], r_error text[],
    k_parked jsonb, k_command bytea[], k_raw bytea[], k_gone text[],
    l_lane integer[], l_count integer[],
    e_lane integer[], e_rank integer[], e_id uuid[], e_stream text[], e_version bigint[], e_type text[],
    e_schema integer[], e_data bytea[], e_cause uuid[], e_correlation uuid[], e_trace text[],
    now_at bigint
) RETURNS TABLE (lane integer, head bigint) LANGUAGE plpgsql AS $$
DECLARE
    n integer;
    given_up bigint[] := '{}';
BEGIN
    IF cardinality(p_topic) > 0 THEN
        SELECT count(*) INTO n FROM (
            SELECT p.epoch = u.epoch AS mine
            FROM unnest(p_consumer, p_topic, p_partition, p_epoch) AS u(consumer, topic, partition, epoch)
            JOIN positions p USING (consumer, topic, partition)
            ORDER BY p.consumer, p.topic, p.partition FOR UPDATE OF p
        ) locked WHERE mine;
        IF n <> cardinality(p_topic) THEN
            RAISE EXCEPTION 'fenced' USING ERRCODE = 'LJ001';
        END IF;
        UPDATE positions p SET next_offset = u.next_offset, last_pseq = u.last_pseq,
            last_id = nullif(u.last_id, '')::uuid, applied = u.applied
        FROM unnest(p_consumer, p_topic, p_partition, p_offset, p_pseq, p_id, p_applied)
            AS u(consumer, topic, partition, next_offset, last_pseq, last_id, applied)
        WHERE (p.consumer, p.topic, p.partition) = (u.consumer, u.topic, u.partition) AND p.applied < u.applied;
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n <> cardinality(p_topic) THEN
            RAISE EXCEPTION 'repeated' USING ERRCODE = 'LJ003';
        END IF;
    END IF;
    IF cardinality(c_key) > 0 THEN
        INSERT INTO commands SELECT u.key, u.hash, u.reply, now_at
        FROM unnest(c_key, c_hash, c_reply) AS u(key, hash, reply) ORDER BY u.key;
    END IF;
    IF cardinality(k_gone) > 0 THEN
        given_up := ARRAY(
            SELECT i.seq FROM parked p JOIN inbox i
                ON i.state = 'parked' AND 'inbox/' || i.provider || '/' || i.account || '/' || i.key = p.input_id
            WHERE p.id = ANY (k_gone) AND p.stream LIKE 'intake-inbox/%'
                AND NOT EXISTS (SELECT 1 FROM parked o WHERE o.input_id = p.input_id AND o.id <> ALL (k_gone)));
    END IF;
    IF cardinality(i_seq || given_up) > 0 THEN
        -- By their names, as they are accepted: copies of known deliveries lock their rows, too.
        PERFORM 1 FROM inbox WHERE seq = ANY (i_seq || given_up) ORDER BY provider, account, key FOR UPDATE;
        UPDATE inbox i SET state = u.state, reason = u.reason, finished = i.finished + (u.state <> 'parked')::integer
        FROM unnest(i_seq, i_state, i_reason) AS u(seq, state, reason)
        WHERE i.seq = u.seq AND i.state = 'received';
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n <> cardinality(i_seq) THEN
            RAISE EXCEPTION 'repeated' USING ERRCODE = 'LJ003';
        END IF;
    END IF;
    IF cardinality(h_stream) > 0 THEN
        -- A new head is a plain INSERT, never an upsert: two writers would both write version 1.
        INSERT INTO streams (stream_id, version, state, state_version, fold, notes)
        SELECT u.stream, u.version, u.state, CASE WHEN u.state IS NULL THEN 0 ELSE u.version END, u.fold, u.notes
        FROM unnest(h_stream, h_expected, h_version, h_state, h_fold, h_notes)
            AS u(stream, expected, version, state, fold, notes)
        WHERE u.expected = 0 ORDER BY u.stream;
        SELECT count(*) INTO n FROM (
            SELECT s.version = u.expected AS unmoved
            FROM unnest(h_stream, h_expected) AS u(stream, expected)
            JOIN streams s ON s.stream_id = u.stream
            WHERE u.expected > 0 ORDER BY s.stream_id FOR UPDATE OF s
        ) locked WHERE unmoved;
        IF n <> (SELECT count(*) FROM unnest(h_expected) AS expected WHERE expected > 0) THEN
            RAISE EXCEPTION 'conflict' USING ERRCODE = 'LJ002';
        END IF;
        UPDATE streams s SET
            version = u.version,
            notes = u.notes,
            -- A fold is "<number>:<shape>": the state of a higher number stays.
            state = CASE WHEN u.state IS NOT NULL AND left(u.fold, 4) >= left(s.fold, 4) THEN u.state ELSE s.state END,
            state_version = CASE WHEN u.state IS NOT NULL AND left(u.fold, 4) >= left(s.fold, 4) THEN u.version ELSE s.state_version END,
            fold = CASE WHEN u.state IS NOT NULL AND left(u.fold, 4) >= left(s.fold, 4) THEN u.fold ELSE s.fold END
        FROM unnest(h_stream, h_expected, h_version, h_state, h_fold, h_notes)
            AS u(stream, expected, version, state, fold, notes)
        WHERE u.expected > 0 AND s.stream_id = u.stream;
    END IF;
    IF cardinality(v_stream) > 0 AND EXISTS (
        SELECT FROM unnest(v_stream, v_version) AS u(stream, version)
        LEFT JOIN streams s ON s.stream_id = u.stream WHERE coalesce(s.version, 0) <> u.version
    ) THEN
        RAISE EXCEPTION 'conflict' USING ERRCODE = 'LJ002';
    END IF;
    IF cardinality(f_id) > 0 THEN
        INSERT INTO effects (id, kind, stream, request, state, planned_at, cause, correlation, trace)
        SELECT u.id, u.kind, u.stream, u.request, u.state, now_at, u.cause, u.correlation, u.trace
        FROM unnest(f_id, f_kind, f_stream, f_request, f_state, f_cause, f_correlation, f_trace)
            AS u(id, kind, stream, request, state, cause, correlation, trace)
        ORDER BY u.id ON CONFLICT (id) DO NOTHING;
    END IF;
    IF cardinality(r_id) > 0 THEN
        PERFORM 1 FROM effects WHERE id = ANY (r_id) ORDER BY id FOR UPDATE;
        UPDATE effects e SET state = u.state, lease_till = 0, next_at = u.next_at, last_error = u.error,
            doubt_since = CASE WHEN u.doubt THEN e.doubt_since ELSE 0 END
        FROM unnest(r_id, r_token, r_state, r_next, r_doubt, r_error) AS u(id, token, state, next_at, doubt, error)
        WHERE e.id = u.id AND e.token = u.token AND e.state = 'in-flight';
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n <> cardinality(r_id) THEN
            RAISE EXCEPTION 'repeated' USING ERRCODE = 'LJ003';
        END IF;
    END IF;
    IF cardinality(t_id) > 0 THEN
        INSERT INTO timers (id, due, stream, command, cause, correlation, trace)
        SELECT u.id, u.due, u.stream, u.command, u.cause, u.correlation, u.trace
        FROM unnest(t_id, t_due, t_stream, t_command, t_cause, t_correlation, t_trace)
            AS u(id, due, stream, command, cause, correlation, trace)
        ORDER BY u.id ON CONFLICT (id) DO NOTHING;
    END IF;
    IF cardinality(t_done) > 0 THEN
        PERFORM 1 FROM timers WHERE id = ANY (t_done) ORDER BY id FOR UPDATE;
        UPDATE timers SET done_at = now_at WHERE id = ANY (t_done) AND done_at IS NULL;
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n <> cardinality(t_done) THEN
            RAISE EXCEPTION 'repeated' USING ERRCODE = 'LJ003';
        END IF;
    END IF;
    IF cardinality(k_gone) > 0 THEN
        PERFORM 1 FROM parked WHERE id = ANY (k_gone) ORDER BY id FOR UPDATE;
        -- A delivery that is given up (one tried again is 'received') is at its end: its body goes in time.
        UPDATE inbox SET state = 'ignored', reason = 'discarded', finished = finished + 1
        WHERE seq = ANY (given_up) AND state = 'parked';
        DELETE FROM parked WHERE id = ANY (k_gone);
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n <> cardinality(k_gone) THEN
            RAISE EXCEPTION 'repeated' USING ERRCODE = 'LJ003';
        END IF;
    END IF;
    IF cardinality(k_command) > 0 THEN
        INSERT INTO parked (id, stream, source, input_id, work, code, detail, fingerprint, at, command, raw, cause, correlation, trace, history)
        SELECT u.j ->> 'id', u.j ->> 'stream', u.j ->> 'source', u.j ->> 'input_id', (u.j ->> 'work')::integer,
               u.j ->> 'code', u.j ->> 'detail', u.j ->> 'fingerprint', now_at, u.command, u.raw,
               (u.j ->> 'cause')::uuid, (u.j ->> 'correlation')::uuid, u.j ->> 'trace', (u.j ->> 'history')::boolean
        FROM ROWS FROM (jsonb_array_elements(k_parked), unnest(k_command), unnest(k_raw)) WITH ORDINALITY AS u(j, command, raw, place)
        ORDER BY u.place;
    END IF;
    IF cardinality(l_lane) > 0 THEN
        PERFORM 1 FROM lanes WHERE lanes.lane = ANY (l_lane) ORDER BY lanes.lane FOR UPDATE;
        RETURN QUERY UPDATE lanes SET head = lanes.head + u.added
        FROM unnest(l_lane, l_count) AS u(lane, added)
        WHERE lanes.lane = u.lane RETURNING lanes.lane, lanes.head;
        INSERT INTO events
        SELECT e.lane, l.head - u.added + e.rank, e.id, e.stream, e.version, e.type, e.schema_version, e.data,
               now_at, e.cause, e.correlation, e.trace
        FROM unnest(e_lane, e_rank, e_id, e_stream, e_version, e_type, e_schema, e_data, e_cause, e_correlation, e_trace)
            AS e(lane, rank, id, stream, version, type, schema_version, data, cause, correlation, trace)
        JOIN unnest(l_lane, l_count) AS u(lane, added) ON u.lane = e.lane
        JOIN lanes l ON l.lane = e.lane;
    END IF;
END $$;
