-- The records that bear on some clients' counts of some services: the first so many, and how many there are. Runs after records.sql.
--
-- In:  listed, wanted (client_id, service_id), run (most)
-- Out: units, units_total
CREATE TABLE bearing AS
SELECT l.*, row_number() OVER (ORDER BY l.client_id, l.service_id, l.source, l.record_kind, l.record_id) AS place
FROM listed AS l
JOIN wanted AS w ON w.client_id = l.client_id AND w.service_id = l.service_id;

CREATE TABLE units AS
SELECT b.* FROM bearing AS b CROSS JOIN run WHERE b.place <= run.most;

CREATE TABLE units_total AS
SELECT count(*) AS records FROM bearing;
